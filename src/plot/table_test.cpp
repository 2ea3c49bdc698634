// SPDX-License-Identifier: Apache-2.0
#include "plot/table.h"

#include <charconv>
#include <cmath>
#include <sstream>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace fareline::plot {
namespace {

const Unit terabytes_per_second = unit_of("TB/s", unit::TB / unit::s);

Table example() {
  return {.columns = {text_column("chip", {"h100-sxm", "日本", "µ"}),
                      number_column("bandwidth", terabytes_per_second, Values(Bandwidth::dim, {3.35e12, std::nan(""), 8e11}))}};
}

// Reads CSV back as RFC 4180 defines it.
std::vector<std::vector<std::string>> parsed(std::string_view text) {
  std::vector<std::vector<std::string>> records(1, std::vector<std::string>(1));
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (quoted && text[i] == '"' && i + 1 < text.size() && text[i + 1] == '"') records.back().back() += text[i++];
    else if (text[i] == '"') quoted = !quoted;
    else if (quoted) records.back().back() += text[i];
    else if (text[i] == ',') records.back().emplace_back();
    else if (text.substr(i, 2) == "\r\n") { records.emplace_back(1, std::string()); ++i; }
    else records.back().back() += text[i];
  }
  records.pop_back();
  return records;
}

TEST(Table, columns_are_aligned_with_numbers_at_the_right_and_units_in_the_header) {
  EXPECT_EQ(*text_table(example()),
            "chip      bandwidth (TB/s)\n"
            "────────  ────────────────\n"
            "h100-sxm              3.35\n"
            "日本                     –\n"
            "µ                      0.8\n");
}

TEST(Table, every_line_is_as_wide_as_the_rule_or_narrower) {
  EXPECT_TRUE(rc::check([] {
    const auto texts =
        *rc::gen::nonEmpty(rc::gen::container<std::vector<std::string>>(rc::gen::element<std::string>("a", "日本語", "naïve", "", "x y")));
    std::vector<double> numbers;
    for (std::size_t i = 0; i < texts.size(); ++i) numbers.push_back(*rc::gen::inRange(-1000000, 1000000));
    std::istringstream lines(
        *text_table({.columns = {text_column("name", texts), number_column("n", counted("requests"), Values(numbers))}}));
    std::string header, rule, line;
    std::getline(lines, header);
    std::getline(lines, rule);
    std::size_t rows = 0;
    for (; std::getline(lines, line); ++rows) RC_ASSERT(terminal_width(line) == terminal_width(rule));
    RC_ASSERT(rows == texts.size());
  }));
}

TEST(Table, colour_is_off_unless_asked_for) {
  Table table = example();
  EXPECT_EQ(text_table(table)->find('\x1b'), std::string::npos);
  table.colour = true;
  EXPECT_TRUE(text_table(table)->starts_with("\x1b[1mchip"));
}

TEST(Table, control_characters_do_not_reach_the_terminal) {
  const auto text = text_table({.columns = {text_column("name", {"a\x1b[31mb\nc"})}});
  EXPECT_EQ(text->find('\x1b'), std::string::npos);
  EXPECT_NE(text->find("a [31mb c"), std::string::npos);
}

TEST(Table, csv_is_read_back_as_it_was_written) {
  EXPECT_TRUE(rc::check([] {
    const auto texts = *rc::gen::nonEmpty(rc::gen::container<std::vector<std::string>>(
        rc::gen::container<std::string>(rc::gen::element('a', ',', '"', '\r', '\n', ' '))));
    std::vector<double> numbers;
    for (std::size_t i = 0; i < texts.size(); ++i) numbers.push_back(*rc::gen::arbitrary<int>() / 7.0);
    const auto records = parsed(*csv({.columns = {text_column("a,b", texts), number_column("n", counted("requests"), Values(numbers))}}));
    RC_ASSERT(records.size() == texts.size() + 1);
    RC_ASSERT(records[0] == (std::vector<std::string>{"a,b", "n (requests)"}));
    for (std::size_t i = 0; i < texts.size(); ++i) {
      RC_ASSERT(records[i + 1][0] == texts[i]);
      double back = 0;
      std::from_chars(records[i + 1][1].data(), records[i + 1][1].data() + records[i + 1][1].size(), back);
      RC_ASSERT(back == numbers[i]);
    }
  }));
}

TEST(Table, csv_names_units_and_leaves_missing_values_empty) {
  EXPECT_EQ(*csv(example()), "chip,bandwidth (TB/s)\r\nh100-sxm,3.35\r\n日本,\r\nµ,0.8\r\n");
}

TEST(Table, uneven_columns_and_wrong_dimensions_are_refused) {
  Table table = example();
  table.columns[0].texts.pop_back();
  EXPECT_EQ(text_table(table).error().where, "column \"bandwidth\"");
  EXPECT_FALSE(csv(table));
  table = example();
  table.columns[1].numbers.dim = Seconds::dim;
  EXPECT_FALSE(text_table(table));
  EXPECT_FALSE(csv(table));
}

TEST(Table, a_table_without_rows_is_its_header) {
  EXPECT_EQ(*text_table({.columns = {text_column("chip", {})}}), "chip\n────\n");
  EXPECT_EQ(*csv({.columns = {text_column("chip", {})}}), "chip\r\n");
  EXPECT_EQ(*text_table({}), "");
}

}  // namespace
}  // namespace fareline::plot
