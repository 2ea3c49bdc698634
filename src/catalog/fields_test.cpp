// SPDX-License-Identifier: Apache-2.0
#include "catalog/fields.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace fareline {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr Range<Bandwidth> any_bandwidth{unit::MB / unit::s, unit::PB / unit::s};

// The line that reading `text` as {"hbm_bandwidth": fact} ends in; empty where it is read.
std::string bandwidth_error(const std::string& text) {
  const auto document = parse_json("h100.json", text);
  if (!document) return document.error().line();
  std::optional<Error> error;
  Fields fields(*document, "h100.json", "", error);
  (void)fields.fact<Bandwidth>("hbm_bandwidth", any_bandwidth);
  fields.done();
  return error ? error->line() : "";
}

TEST(Fields, ReadAFactWithItsSourceAndDispute) {
  const json document = json::parse(R"({"f": {"value": "3.35 TB/s", "source": "sheet", "disputed": "3 TB/s elsewhere"}})");
  std::optional<Error> error;
  Fields fields(document, "a.json", "", error);
  const Sourced<Bandwidth> fact = fields.fact<Bandwidth>("f", any_bandwidth);
  fields.done();
  ASSERT_FALSE(error) << error->line();
  EXPECT_DOUBLE_EQ(fact.value.in(unit::GB / unit::s), 3350);
  EXPECT_EQ(fact.source, "sheet");
  EXPECT_EQ(fact.disputed, "3 TB/s elsewhere");
  EXPECT_TRUE(fact.stated());
}

TEST(Fields, ReadAnUnknownFactAsNotStatedWithItsReason) {
  const json document = json::parse(R"({"f": {"unknown": "the vendor publishes none"}})");
  std::optional<Error> error;
  Fields fields(document, "a.json", "", error);
  const Sourced<Watts> fact = fields.fact<Watts>("f", {unit::W, unit::kW});
  fields.done();
  ASSERT_FALSE(error) << error->line();
  EXPECT_FALSE(fact.stated());
  EXPECT_EQ(fact.disputed, "the vendor publishes none");
}

struct Mistake {
  const char *what, *text, *line;
};

class Mistakes : public testing::TestWithParam<Mistake> {};

TEST_P(Mistakes, AreNamedWithPlaceAndRemedy) { EXPECT_EQ(bandwidth_error(GetParam().text), GetParam().line) << GetParam().what; }

INSTANTIATE_TEST_SUITE_P(
    Facts, Mistakes,
    testing::Values(
        Mistake{"no unit", R"({"hbm_bandwidth": {"value": "3350", "source": "s"}})",
                R"(h100.json: hbm_bandwidth: "3350" has no unit; write e.g. "3350 GB/s")"},
        Mistake{"no unit and no source", R"({"hbm_bandwidth": "3350"})",
                R"(h100.json: hbm_bandwidth: "3350" has no unit; write e.g. "3350 GB/s")"},
        Mistake{"a number", R"({"hbm_bandwidth": {"value": 3350, "source": "s"}})",
                R"(h100.json: hbm_bandwidth: 3350 is not text with a unit; write e.g. "3350 GB/s")"},
        Mistake{"another dimension", R"({"hbm_bandwidth": {"value": "80 GB", "source": "s"}})",
                R"(h100.json: hbm_bandwidth: "80 GB" is in B, but B/s is due; write e.g. "3350 GB/s")"},
        Mistake{"negative", R"({"hbm_bandwidth": {"value": "-3 TB/s", "source": "s"}})",
                R"(h100.json: hbm_bandwidth: "-3 TB/s" is negative; write a value from 1 MB/s to 1 PB/s)"},
        Mistake{"absurd", R"({"hbm_bandwidth": {"value": "3000 PB/s", "source": "s"}})",
                R"(h100.json: hbm_bandwidth: "3000 PB/s" is beyond belief; write a value from 1 MB/s to 1 PB/s)"},
        Mistake{"not a number", R"({"hbm_bandwidth": {"value": "nan TB/s", "source": "s"}})",
                R"(h100.json: hbm_bandwidth: "nan TB/s" is not a finite number with a unit; write e.g. "3350 GB/s")"},
        Mistake{"null", R"({"hbm_bandwidth": null})", R"(h100.json: hbm_bandwidth: null is not text with a unit; write e.g. "3350 GB/s")"},
        Mistake{"no source", R"({"hbm_bandwidth": {"value": "3 TB/s"}})",
                R"(h100.json: hbm_bandwidth: "source" is missing; add "source": "repository@commit:path, or a document and its section")"},
        Mistake{"source not given as a fact", R"({"hbm_bandwidth": "3 TB/s"})",
                "h100.json: hbm_bandwidth: \"3 TB/s\" has no source; write {\"value\": \"3 TB/s\", \"source\": \"repository@commit:path, "
                "or a document and "
                "its section\"}"},
        Mistake{"empty source", R"({"hbm_bandwidth": {"value": "3 TB/s", "source": "  "}})",
                R"(h100.json: hbm_bandwidth.source: "  " is not text; write text between quotes, not empty)"},
        Mistake{"misspelt inside", R"({"hbm_bandwidth": {"value": "3 TB/s", "sorce": "s"}})",
                R"(h100.json: hbm_bandwidth: the key "sorce" is unknown; did you mean source?)"},
        Mistake{"misspelt", R"({"hbm_bandwith": {"value": "3 TB/s", "source": "s"}})",
                R"(h100.json: the key "hbm_bandwith" is unknown; did you mean hbm_bandwidth?)"},
        Mistake{"unlike any", R"({"x": 1})", R"(h100.json: the key "x" is unknown; known are hbm_bandwidth)"},
        Mistake{"missing", R"({})",
                "h100.json: \"hbm_bandwidth\" is missing; add \"hbm_bandwidth\": {\"value\": \"a number and its unit\", \"source\": "
                "\"repository@commit:path, or a document and its section\"}"},
        Mistake{"unknown and stated", R"({"hbm_bandwidth": {"unknown": "why", "value": "3 TB/s"}})",
                R"(h100.json: hbm_bandwidth: the key "value" is unknown; known are unknown)"},
        Mistake{"not an object", R"([1])", R"(h100.json: [1] is not an object; write {"name": value, …})"},
        Mistake{"twice", R"({"hbm_bandwidth": {"value": "3 TB/s", "source": "s", "value": "4 TB/s"}})",
                R"(h100.json: the key "value" stands twice in one object; keep one of them)"}));

TEST(Json, SaysTheLineAndColumnOfWhatIsNoJson) {
  EXPECT_EQ(parse_json("a.json", "{\n  \"a\": 1,\n  // no\n}").error().line(),
            "a.json: is not JSON at line 3, column 3; look there for a missing quote, comma or bracket, a comment, or a file cut short");
  for (const char* text : {"", "{", "{\"a\": NaN}", "{\"a\": 1e999}", "{} {}", "{'a': 1}", "{\"a\": \"\xff\"}", "{\"a\": 1,}"})
    EXPECT_THAT(parse_json("a.json", text).error().what, HasSubstr("is not JSON at line 1")) << text;
}

TEST(Json, IsRefusedDeeperThanTheBoundAndReadUpToIt) {
  const auto nested = [](int depth) {
    return std::string(static_cast<std::size_t>(depth), '[') + std::string(static_cast<std::size_t>(depth), ']');
  };
  EXPECT_TRUE(parse_json("a.json", nested(deepest_nesting)).has_value());
  EXPECT_EQ(parse_json("a.json", nested(deepest_nesting + 1)).error().line(), "a.json: is nested deeper than 64 levels; flatten it");
  EXPECT_FALSE(parse_json("a.json", std::string(1'000'000, '[')).has_value());
}

TEST(Json, IsRefusedAboveTheBoundOnItsSize) {
  const std::string large = "\"" + std::string(largest_file_bytes, 'x') + "\"";
  EXPECT_EQ(parse_json("a.json", large).error().line(), "a.json: has 16000002 bytes; give at most 16000000 bytes");
}

TEST(Json, KeepsArraysAndObjectsAsTheyStand) {
  const std::string text = R"([{"a":[1,[2,{"b":null}],-3.5]},"x",{"c":{"d":true}},18446744073709551615])";
  const auto read = parse_json("a.json", text);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->dump(), text);
}

TEST(Fields, NameThePathOfWhatIsNested) {
  const json document = json::parse(R"({"tiers": [{"n": 1}, {"n": 1.5}]})");
  std::optional<Error> error;
  Fields fields(document, "a.json", "", error);
  for (Fields& tier : fields.objects("tiers")) {
    (void)tier.count("n", {0, 9});
    tier.done();
  }
  ASSERT_TRUE(error);
  EXPECT_EQ(error->line(), "a.json: tiers[1].n: 1.5 is not a whole number from 0 to 9; write it without quotes, unit or fraction");
}

TEST(Fields, RefuseCountsOutOfRangeAndOfTheWrongType) {
  for (const char* value : {"-1", "10", "\"1\"", "true", "18446744073709551615", "null", "1e0"}) {
    const json document = json::parse(fmt::format("{{\"n\": {}}}", value));
    std::optional<Error> error;
    Fields fields(document, "a.json", "", error);
    EXPECT_EQ(fields.count("n", {0, 9}), 0) << value;
    EXPECT_TRUE(error) << value;
  }
}

TEST(Fields, TakeDatesAndRefuseWhatIsNone) {
  for (const char* text : {"2025-08", "2025-08-22", "2025-13", "2025-8-2", "22-08-2025", "2025-08-32", "August"}) {
    const json document = {{"d", text}};
    std::optional<Error> error;
    Fields fields(document, "a.json", "", error);
    (void)fields.date("d");
    EXPECT_EQ(error.has_value(), !std::string_view(text).starts_with("2025-08") || std::string_view(text) == "2025-08-32") << text;
  }
}

TEST(Fields, SayWhichObjectIsMissingAndNotWhatWouldBeInIt) {
  const json document = json::object();
  std::optional<Error> error;
  Fields fields(document, "a.json", "", error);
  Fields inner = fields.object("scale_up");
  (void)inner.text("kind");
  inner.done();
  fields.done();
  ASSERT_TRUE(error);
  EXPECT_EQ(error->line(), "a.json: \"scale_up\" is missing; add \"scale_up\": {…}");
}

}  // namespace
}  // namespace fareline
