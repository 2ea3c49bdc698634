// SPDX-License-Identifier: Apache-2.0
#include "api/json_text.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <rapidcheck/gtest.h>

#include "api/asked.h"

namespace fareline::test {
namespace {

// The obvious reference: the library's own writer.
std::string dumped(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

TEST(JsonText, IsWhatTheLibraryWrites) {
  for (const Json& json : {Json(),
                           Json(true),
                           Json(0),
                           Json(-1),
                           Json(18446744073709551615ULL),
                           Json(std::numeric_limits<std::int64_t>::min()),
                           Json(0.0),
                           Json(-0.0),
                           Json(1.0),
                           Json(1e-5),
                           Json(1e21),
                           Json(5e-324),
                           Json(0.1),
                           Json(INFINITY),
                           Json(NAN),
                           Json(""),
                           Json("a\"b\\c\n\x01\x7F"),
                           Json("µ…"),
                           Json("\xFF\xC3"),
                           Json::array(),
                           Json::object(),
                           Json{{"", Json::array({1, Json::object(), "x"})}, {"\xFF", nullptr}}})
    EXPECT_EQ(json_text(json), dumped(json));
}

TEST(JsonText, OfAnAnswerIsWhatTheLibraryWrites) {
  const Json inputs{{"model", "openai/gpt-oss-20b"}, {"system", "hgx-h100"}, {"tp", 2}, {"prompt", 2048}, {"output", 256}};
  for (const char* explain : {"none", "full"}) {
    const auto answer = ask({{"question", "cost"}, {"inputs", with(inputs, {{"explain", explain}})}}, Catalogue::built_in());
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(json_text(*answer), dumped(*answer));
  }
}

RC_GTEST_PROP(JsonText, OfAnyNumberAndTextIsWhatTheLibraryWrites, (double number, std::int64_t whole, const std::string& text)) {
  const Json json{number, whole, text, {{text, number}}};
  RC_ASSERT(json_text(json) == dumped(json));
}

}  // namespace
}  // namespace fareline::test
