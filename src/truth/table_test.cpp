// SPDX-License-Identifier: Apache-2.0
#include "truth/table.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <zlib.h>

namespace fareline {
namespace {

std::string gzipped(std::string_view text) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string packed(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(packed.size() - stream.avail_out);
  deflateEnd(&stream);
  return packed;
}

using Rows = std::vector<std::vector<std::string>>;

Expected<Rows> all_rows(std::string_view bytes) {
  auto table = TableReader::open("t.csv", bytes);
  if (!table) return std::unexpected(table.error());
  Rows rows;
  for (;;) {
    const auto more = table->next();
    if (!more) return std::unexpected(more.error());
    if (!*more) return rows;
    std::vector<std::string> row;
    for (std::size_t i = 0; i < table->columns().size(); ++i) row.emplace_back(table->text(i));
    rows.push_back(std::move(row));
  }
}

std::string error_of(std::string_view bytes) {
  const auto rows = all_rows(bytes);
  return rows ? "read" : rows.error().line();
}

TEST(Table, ReadsQuotesCommasAndLineBreaksInCells) {
  const auto rows = all_rows("a,b\n\"x,1\",\"say \"\"no\"\"\"\r\n\"two\nlines\",\n");
  ASSERT_TRUE(rows.has_value()) << rows.error().line();
  EXPECT_EQ(*rows, (Rows{{"x,1", "say \"no\""}, {"two\nlines", ""}}));
}

TEST(Table, ReadsALastLineWithoutALineBreakAndPassesOverBlankOnes) {
  const auto rows = all_rows("a,b\n\n1,2\n\n3,4");
  ASSERT_TRUE(rows.has_value());
  EXPECT_EQ(*rows, (Rows{{"1", "2"}, {"3", "4"}}));
}

TEST(Table, FindsColumnsByNameAndSaysWhichIsMissing) {
  const auto table = TableReader::open("t.csv", "isl_tokens,osl_tokens\n1,2\n");
  ASSERT_TRUE(table.has_value());
  EXPECT_EQ(table->find("osl_tokens"), ColumnIndex(1u));
  EXPECT_FALSE(table->find("tp").has_value());
  const auto missing = table->require("isl_token");
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().line(), "t.csv: has no column \"isl_token\"; did you mean isl_tokens, osl_tokens?");
}

TEST(Table, SaysOnWhichLineACellIsNoNumber) {
  auto table = TableReader::open("t.csv", "name,ms\nfirst,1.5e1\nsecond,fast\nthird,\n");
  ASSERT_TRUE(table.has_value());
  ASSERT_TRUE(*table->next());
  EXPECT_EQ(*table->number(1), std::optional(15.0));
  ASSERT_TRUE(*table->next());
  const auto wrong = table->number(1);
  ASSERT_FALSE(wrong.has_value());
  EXPECT_EQ(wrong.error().where, "t.csv line 3, column ms");
  ASSERT_TRUE(*table->next());
  EXPECT_EQ(*table->number(1), std::nullopt);
  EXPECT_EQ(*table->number(ColumnIndex{}), std::nullopt) << "a column the table lacks reads as empty";
}

TEST(Table, RefusesWhatIsNotACsvTableWithItsLine) {
  EXPECT_EQ(error_of(""), "t.csv: is empty; give a CSV table with a header line");
  EXPECT_EQ(error_of("a,a\n"), "t.csv line 1: the header names \"a\" twice; name every column once");
  EXPECT_EQ(error_of("a,\n"), "t.csv line 1: column 2 of the header has no name; name every column");
  EXPECT_EQ(error_of("a,b\n1,2\n1\n"), "t.csv line 3: has 1 cells where the header has 2; write every cell, the empty ones too");
  EXPECT_EQ(error_of("a,b\n1,2,3\n"), "t.csv line 2: has 3 cells where the header has 2; write every cell, the empty ones too");
  EXPECT_EQ(error_of("a\n\"open\n"), "t.csv line 2: a quote is opened and never closed; close it, or write two quotes for one");
  EXPECT_EQ(error_of("a\nx\"y\"\n"),
            "t.csv line 2: a quote stands inside a plain cell; quote the whole cell, and write two quotes for one");
  EXPECT_EQ(error_of("a\n\"x\"y\n"), "t.csv line 2: text follows a closing quote; quote the whole cell, and write two quotes for one");
}

TEST(Table, CountsLinesThroughQuotedLineBreaks) {
  EXPECT_EQ(error_of("a,b\n\"1\n2\n3\",4\n5\n").substr(0, 12), "t.csv line 5");
}

TEST(Table, RefusesARecordWithoutEnd) {
  EXPECT_NE(error_of("a\n" + std::string(longest_record_bytes + 1, 'x')).find("the record is longer than"), std::string::npos);
  EXPECT_NE(error_of(std::string(2 * most_columns, ',')).find("has more than"), std::string::npos);
}

TEST(Table, ReadsGzipAlsoInSeveralMembers) {
  const std::string first = gzipped("a,b\n1,2\n"), second = gzipped("3,4\n");
  const auto rows = all_rows(first + second);
  ASSERT_TRUE(rows.has_value()) << rows.error().line();
  EXPECT_EQ(*rows, (Rows{{"1", "2"}, {"3", "4"}}));
}

TEST(Table, RefusesGzipCutShortAtAnyByte) {
  std::string text = "a,b\n";
  for (int i = 0; i < 200; ++i) text += std::to_string(i * i) + "," + std::to_string(i) + "\n";
  const std::string packed = gzipped(text);
  for (std::size_t length = 2; length < packed.size(); ++length) {
    const std::string said = error_of(std::string_view(packed).substr(0, length));
    ASSERT_NE(said.find("the gzip is damaged or cut short"), std::string::npos) << "cut at " << length << ": " << said;
  }
}

RC_GTEST_PROP(Table, ReadsBackAnyCellsThatAreQuoted, ()) {
  const auto cells =
      *rc::gen::container<std::vector<std::string>>(3, rc::gen::container<std::string>(rc::gen::element('a', ',', '"', '\n', '\r', ' ')));
  std::string line;
  for (const std::string& cell : cells) {
    line += line.empty() ? "\"" : ",\"";
    for (const char c : cell) line += c == '"' ? std::string("\"\"") : std::string(1, c);
    line += '"';
  }
  const auto plain = all_rows("a,b,c\n" + line + "\n"), packed = all_rows(gzipped("a,b,c\n" + line + "\n"));
  RC_ASSERT(plain.has_value() && packed.has_value());
  RC_ASSERT(*plain == Rows{cells});
  RC_ASSERT(*packed == Rows{cells});
}

}  // namespace
}  // namespace fareline
