// SPDX-License-Identifier: Apache-2.0
#include "units/text.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace fareline {
namespace {

using namespace unit;

struct Good {
  const char* text;
  Dim dim;
  double value;  // coherent: bytes, FLOP, seconds, joules, dollars, tokens
};

class GoodText : public testing::TestWithParam<Good> {};

TEST_P(GoodText, IsReadInItsUnit) {
  const auto value = parse_quantity(GetParam().text, GetParam().dim);
  ASSERT_TRUE(value.has_value()) << value.error().line();
  EXPECT_DOUBLE_EQ(*value, GetParam().value) << GetParam().text;
}

// Source of prefixes: BIPM, The International System of Units, 9th edition, table 7; of Ki to Pi: IEC 80000-13.
INSTANTIATE_TEST_SUITE_P(Bytes, GoodText,
                         testing::Values(Good{"80 GB", Bytes::dim, 80e9}, Good{"80GB", Bytes::dim, 80e9},
                                         Good{" 80\tGB ", Bytes::dim, 80e9}, Good{"80 GiB", Bytes::dim, 80 * 1073741824.0},
                                         Good{"1 PiB", Bytes::dim, 1125899906842624.0}, Good{"8 Gb", Bytes::dim, 1e9},
                                         Good{"8 Gbit", Bytes::dim, 1e9}, Good{"8 b", Bytes::dim, 1}, Good{"1 byte", Bytes::dim, 1},
                                         Good{"70272 bytes", Bytes::dim, 70272}, Good{"1 kB", Bytes::dim, 1e3},
                                         Good{"1 KB", Bytes::dim, 1e3}, Good{"1 KiB", Bytes::dim, 1024}, Good{"+2 EB", Bytes::dim, 2e18},
                                         Good{"1.5e3 MB", Bytes::dim, 1.5e9}, Good{"-5 B", Bytes::dim, -5}, Good{"0 B", Bytes::dim, 0}));
INSTANTIATE_TEST_SUITE_P(Rates, GoodText,
                         testing::Values(Good{"3.35 TB/s", Bandwidth::dim, 3.35e12}, Good{"3350 GB / s", Bandwidth::dim, 3.35e12},
                                         Good{"400 Gb/s", Bandwidth::dim, 50e9}, Good{"60 GB/min", Bandwidth::dim, 1e9},
                                         Good{"989.4 TFLOP/s", FlopRate::dim, 989.4e12}, Good{"2 PFLOPs/s", FlopRate::dim, 2e15},
                                         Good{"3958 TOP/s", FlopRate::dim, 3958e12}, Good{"40 tok/s", TokenRate::dim, 40},
                                         Good{"2 ktok/s", TokenRate::dim, 2000}, Good{"50/s", Frequency::dim, 50},
                                         Good{"50 1/s", Frequency::dim, 50}, Good{"120 req/min", Frequency::dim, 2},
                                         Good{"3 kHz", Frequency::dim, 3000}));
INSTANTIATE_TEST_SUITE_P(TimeAndEnergy, GoodText,
                         testing::Values(Good{"50 ms", Seconds::dim, 0.05}, Good{"5 us", Seconds::dim, 5e-6},
                                         Good{"5 \u00B5s", Seconds::dim, 5e-6}, Good{"5 \u03BCs", Seconds::dim, 5e-6},
                                         Good{"2 min", Seconds::dim, 120}, Good{"1.5 h", Seconds::dim, 5400},
                                         Good{"2 days", Seconds::dim, 172800}, Good{"4 years", Seconds::dim, 4 * 365 * 86400.0},
                                         Good{"12 month", Seconds::dim, 365 * 86400.0}, Good{"700 W", Watts::dim, 700},
                                         Good{"700 J/s", Watts::dim, 700}, Good{"132 kW", Watts::dim, 132e3},
                                         Good{"2 kWh", Joules::dim, 7.2e6}, Good{"2 kW*h", Joules::dim, 7.2e6}));
INSTANTIATE_TEST_SUITE_P(Money, GoodText,
                         testing::Values(Good{"2.5 USD/h", MoneyRate::dim, 2.5 / 3600}, Good{"2.5 $/hour", MoneyRate::dim, 2.5 / 3600},
                                         Good{"3 USD/Mtok", TokenPrice::dim, 3e-6}, Good{"8 cent/kWh", EnergyPrice::dim, 0.08 / 3.6e6},
                                         Good{"0.02 USD/GB/month", StoragePrice::dim, 0.02 / 1e9 / (730 * 3600)},
                                         Good{"30000 usd", Dollars::dim, 30000}));
INSTANTIATE_TEST_SUITE_P(Numbers, GoodText,
                         testing::Values(Good{"0.8", Dim{}, 0.8}, Good{"80%", Dim{}, 0.8}, Good{"80 %", Dim{}, 0.8},
                                         Good{"-1e-3", Dim{}, -1e-3}, Good{".5", Dim{}, 0.5}, Good{"1 GB/GB", Dim{}, 1}));

struct Bad {
  const char* text;
  Dim dim;
  const char* line;  // the whole error
};

class BadText : public testing::TestWithParam<Bad> {};

TEST_P(BadText, IsRefusedWithTheSpellingToUse) {
  const auto value = parse_quantity(GetParam().text, GetParam().dim);
  ASSERT_FALSE(value.has_value()) << *value;
  EXPECT_EQ(value.error().line(), GetParam().line);
}

INSTANTIATE_TEST_SUITE_P(
    Units, BadText,
    testing::Values(Bad{"3350", Bandwidth::dim, R"("3350" has no unit; write e.g. "3350 GB/s")"},
                    Bad{"80 GB", Bandwidth::dim, R"("80 GB" is in B, but B/s is due; write e.g. "3350 GB/s")"},
                    Bad{"989 TFLOP/s", Bandwidth::dim, R"("989 TFLOP/s" is in FLOP/s, but B/s is due; write e.g. "3350 GB/s")"},
                    Bad{"3 GB/s/s", Bandwidth::dim, R"("3 GB/s/s" is in B/s/s, but B/s is due; write e.g. "3350 GB/s")"},
                    Bad{"3 gb/s", Bandwidth::dim, R"("3 gb/s" has the unknown unit "gb"; write e.g. "3350 GB/s")"},
                    Bad{"3 GB//s", Bandwidth::dim, R"("3 GB//s" has the unknown unit ""; write e.g. "3350 GB/s")"},
                    Bad{"3 GB/", Bandwidth::dim, R"("3 GB/" has the unknown unit ""; write e.g. "3350 GB/s")"},
                    Bad{"3 kGiB", Bytes::dim, R"("3 kGiB" has the unknown unit "kGiB"; write e.g. "80 GB")"},
                    Bad{"50", Seconds::dim, R"("50" has no unit; write e.g. "50 ms")"},
                    Bad{"5 minutes late", Seconds::dim, R"("5 minutes late" has the unknown unit "minutes late"; write e.g. "50 ms")"},
                    Bad{"2.5 USD", MoneyRate::dim, R"("2.5 USD" is in USD, but USD/s is due; write e.g. "2.5 USD/h")"},
                    Bad{"700", Watts::dim, R"("700" has no unit; write e.g. "700 W")"},
                    Bad{"3 USD/Mtok", EnergyPrice::dim, R"("3 USD/Mtok" is in USD/tok, but USD/J is due; write e.g. "0.08 USD/kWh")"},
                    Bad{"80 GB", Dim{}, R"("80 GB" is in B, but 1 is due; write e.g. "0.5")"},
                    Bad{"5 1", Dim{}, R"("5 1" has the unknown unit "1"; write e.g. "0.5")"},
                    Bad{"80% GB", Bytes::dim, R"("80% GB" has the unknown unit "% GB"; write e.g. "80 GB")"}));
INSTANTIATE_TEST_SUITE_P(Numbers, BadText,
                         testing::Values(Bad{"", Bytes::dim, R"("" is not a finite number with a unit; write e.g. "80 GB")"},
                                         Bad{"   ", Bytes::dim, R"("   " is not a finite number with a unit; write e.g. "80 GB")"},
                                         Bad{"GB", Bytes::dim, R"("GB" is not a finite number with a unit; write e.g. "80 GB")"},
                                         Bad{"nan GB", Bytes::dim, R"("nan GB" is not a finite number with a unit; write e.g. "80 GB")"},
                                         Bad{"inf GB", Bytes::dim, R"("inf GB" is not a finite number with a unit; write e.g. "80 GB")"},
                                         Bad{"1e999 GB", Bytes::dim,
                                             R"("1e999 GB" is not a finite number with a unit; write e.g. "80 GB")"},
                                         Bad{"1e300 EB", Bytes::dim, R"("1e300 EB" is not finite; write e.g. "80 GB")"},
                                         Bad{"+-5 GB", Bytes::dim, R"("+-5 GB" is not a finite number with a unit; write e.g. "80 GB")"},
                                         Bad{"1,500 GB", Bytes::dim, R"("1,500 GB" has the unknown unit ",500 GB"; write e.g. "80 GB")"},
                                         Bad{"0x10 B", Bytes::dim, R"("0x10 B" has the unknown unit "x10 B"; write e.g. "80 GB")"}));

TEST(Text, TellsBitsFromBytesAndDecimalFromBinary) {
  EXPECT_DOUBLE_EQ(parse<Bytes>("1 GB")->in(B), 8 * parse<Bytes>("1 Gb")->in(B));
  EXPECT_DOUBLE_EQ(parse<Bytes>("1 GiB")->in(B) / parse<Bytes>("1 GB")->in(B), 1.073741824);
}

TEST(Text, TooLongIsRefusedShortly) {
  std::string text = "1 s";
  for (int i = 0; i < 1'000'000; ++i) text += "/s";
  const auto value = parse<Seconds>(text);
  ASSERT_FALSE(value.has_value());
  EXPECT_LT(value.error().line().size(), 200);
}

TEST(Count, IsReadWithItsMultiplier) {
  const std::array<std::pair<const char*, std::int64_t>, 14> counts{{{"0", 0},
                                                                     {"4096", 4096},
                                                                     {"128k", 128'000},
                                                                     {"128 K", 128'000},
                                                                     {"1M", 1'000'000},
                                                                     {"15T", 15'000'000'000'000},
                                                                     {"671B", 671'000'000'000},
                                                                     {"8Ki", 8192},
                                                                     {"1Mi", 1'048'576},
                                                                     {"2Gi", 2'147'483'648},
                                                                     {"1.5k", 1500},
                                                                     {"4.35M", 4'350'000},
                                                                     {"1e6", 1'000'000},
                                                                     {"9007199254740992", 9'007'199'254'740'992}}};
  for (const auto& [text, value] : counts) {
    const auto count = parse_count(text);
    ASSERT_TRUE(count.has_value()) << count.error().line();
    EXPECT_EQ(*count, value) << text;
  }
}

TEST(Count, KeepsEveryDecimalThatIsWholeOnceMultiplied) {
  for (int hundredths = 1; hundredths <= 99'999; ++hundredths) {  // 4.35 x 100 is 434.99999999999994 in doubles
    const std::string text = std::to_string(hundredths / 100) + "." + std::to_string(100 + hundredths % 100).substr(1) + "k";
    const auto count = parse_count(text);
    ASSERT_TRUE(count.has_value()) << count.error().line();
    ASSERT_EQ(*count, hundredths * 10) << text;
  }
}

TEST(Count, ThatIsNoneIsRefused) {
  const std::string remedy = "; write a whole number, e.g. 4096, 128k, 1M, 15T or 8Ki";
  const std::array<std::pair<const char*, const char*>, 9> bad{{{"", R"("" is not a number)"},
                                                                {"many", R"("many" is not a number)"},
                                                                {"nan", R"("nan" is not a number)"},
                                                                {"-1", R"("-1" is negative)"},
                                                                {"1.5", R"("1.5" is not a whole number)"},
                                                                {"0.0001k", R"("0.0001k" is not a whole number)"},
                                                                {"9007199254740994", R"("9007199254740994" is too large)"},
                                                                {"1e300", R"("1e300" is too large)"},
                                                                {"4 KB", R"("4 KB" ends in "KB", which is no multiplier)"}}};
  for (const auto& [text, line] : bad) {
    const auto count = parse_count(text);
    ASSERT_FALSE(count.has_value()) << text;
    EXPECT_EQ(count.error().line(), line + remedy);
  }
}

TEST(NumberText, KeepsItsSignificantDigits) {
  EXPECT_EQ(number_text(3.14159265), "3.142");
  EXPECT_EQ(number_text(0.01234567, 3), "0.0123");
  EXPECT_EQ(number_text(12345.678, 3), "12,300");
  EXPECT_EQ(number_text(1234567, 7), "1,234,567");
  EXPECT_EQ(number_text(-1234.5, 5), "-1,234.5");
  EXPECT_EQ(number_text(999, 3), "999");
  EXPECT_EQ(number_text(-999, 3), "-999");
  EXPECT_EQ(number_text(2.5000001), "2.5") << "no zeros at the end";
  EXPECT_EQ(number_text(9.9999, 3), "10");
  EXPECT_EQ(number_text(0), "0");
  EXPECT_EQ(number_text(1e-5), "1e-05");
  EXPECT_EQ(number_text(1e20), "1e+20");
  EXPECT_EQ(number_text(std::numeric_limits<double>::infinity()), "∞");
  EXPECT_EQ(number_text(-std::numeric_limits<double>::infinity()), "-∞");
  EXPECT_EQ(number_text(std::numeric_limits<double>::quiet_NaN()), "nan");
  EXPECT_EQ(number_text(1.5, 0), "2") << "one digit at the least";
}

TEST(ToText, TakesTheFittingPrefix) {
  EXPECT_EQ(to_text(3.35 * TB / s), "3.35 TB/s");
  EXPECT_EQ(to_text(80 * GB), "80 GB");
  EXPECT_EQ(to_text(70272 * B / token), "70,270 B/tok");
  EXPECT_EQ(to_text(0.0051 * s), "5.1 ms");
  EXPECT_EQ(to_text(2.5 * usd / hour), "2.5 USD/h");
  EXPECT_EQ(to_text(0.4 * usd / Mtok), "0.4 USD/Mtok");
  EXPECT_EQ(to_text(0.08 * usd / kWh), "0.08 USD/kWh");
  EXPECT_EQ(to_text(989.4 * TFLOP / s), "989.4 TFLOP/s");
  EXPECT_EQ(to_text(40.0 / s), "40/s");
  EXPECT_EQ(to_text(0 * s), "0 s");
  EXPECT_EQ(to_text(-5 * ms), "-5 ms");
  EXPECT_EQ(to_text(0.25, Dim{}), "0.25");
  EXPECT_EQ(to_text(B * B), "1 B*B") << "a dimension without a style of its own";
}

TEST(ToText, ChoosesThePrefixOfWhatIsRead) {
  EXPECT_EQ(to_text(999.94 * GB), "999.9 GB");
  EXPECT_EQ(to_text(999.96 * GB), "1 TB");
  EXPECT_EQ(to_text(0.99996 * s), "1 s");
}

TEST(UnitName, NamesTheCoherentUnit) {
  EXPECT_EQ(unit_name(Bandwidth::dim), "B/s");
  EXPECT_EQ(unit_name(TokenPrice::dim), "USD/tok");
  EXPECT_EQ(unit_name(StoragePrice::dim), "USD/B/s");
  EXPECT_EQ(unit_name(Watts::dim), "W");
  EXPECT_EQ(unit_name(Frequency::dim), "1/s");
  EXPECT_EQ(unit_name(Dim{}), "1");
}

constexpr auto named = std::to_array<Dim>({Bytes::dim, Flops::dim, Seconds::dim, Joules::dim, Dollars::dim, Tokens::dim, Bandwidth::dim,
                                           FlopRate::dim, Watts::dim, Frequency::dim, TokenRate::dim, MoneyRate::dim, TokenPrice::dim,
                                           EnergyPrice::dim, StoragePrice::dim, BytesPerToken::dim, Dim{}});

// Text for people separates thousands; what is typed does not.
std::string without_thousands(std::string text) {
  text.erase(std::remove(text.begin(), text.end(), ','), text.end());
  return text;
}

RC_GTEST_PROP(Text, IsReadBackAsWritten, (bool negative)) {
  const Dim dim = *rc::gen::elementOf(named);
  const double mantissa = 1 + static_cast<double>(*rc::gen::inRange<std::int64_t>(0, std::int64_t{1} << 52)) * 0x1p-52;
  const double value = std::ldexp(negative ? -mantissa : mantissa, *rc::gen::inRange(-60, 80));
  const std::string text = without_thousands(to_text(value, dim, 17));
  const auto back = parse_quantity(text, dim);
  RC_ASSERT(back.has_value());
  RC_LOG() << text;
  RC_ASSERT(std::fabs(*back - value) <= std::fabs(value) * 1e-15);
}

RC_GTEST_PROP(Text, OfFourDigitsIsWithinHalfOfTheLast, ()) {
  const Dim dim = *rc::gen::elementOf(named);
  const double value =
      std::ldexp(1 + static_cast<double>(*rc::gen::inRange<std::int64_t>(0, std::int64_t{1} << 52)) * 0x1p-52, *rc::gen::inRange(-30, 50));
  const auto back = parse_quantity(without_thousands(to_text(value, dim)), dim);
  RC_ASSERT(back.has_value());
  RC_ASSERT(std::fabs(*back - value) <= std::fabs(value) * 5.0001e-4);
}

RC_GTEST_PROP(Text, NeverBreaksTheReader, (const std::string& text)) {
  const auto value = parse_quantity(text, *rc::gen::elementOf(named));
  if (value) RC_ASSERT(std::isfinite(*value));
  else RC_ASSERT(value.error().line().find('\n') == std::string::npos);
}

}  // namespace
}  // namespace fareline
