// SPDX-License-Identifier: Apache-2.0
// The checkout obeys each rule, and each rule refuses what it is for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/architecture/source_rules.h"
#include "tests/place.h"

namespace fareline::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// The source files of the checkout: code, build files and scripts.
const Files& checkout() {
  static const Files files = [] {
    Files found;
    for (const char* top : {"src", "apps", "tests", "bench", "tools"})
      for (const auto& entry : std::filesystem::recursive_directory_iterator(source_folder() / top)) {
        const auto path = entry.path();
        const std::string extension = path.extension().string(), name = path.filename().string();
        const bool code = extension == ".h" || extension == ".cpp" || name == "CMakeLists.txt";
        const bool script = entry.is_regular_file() && file_text(path).starts_with("#!");
        if (entry.is_regular_file() && (code || script))
          found.push_back({path.lexically_relative(source_folder()).generic_string(), file_text(path)});
      }
    return found;
  }();
  return files;
}

// Succeeds where nothing is broken, and lists every line that is.
testing::AssertionResult holds(const Violations& violations) {
  if (violations.empty()) return testing::AssertionSuccess();
  auto result = testing::AssertionFailure() << violations.size() << " found\n";
  for (const std::string& violation : violations) result << violation << '\n';
  return result;
}

Layers layers() { return read_layers(file_text(source_folder() / "tests/architecture/layers.txt")); }

TEST(Checkout, WasFound) {
  EXPECT_TRUE(
      std::any_of(checkout().begin(), checkout().end(), [](const auto& f) { return f.path == "src/units/quantity.h" && !f.text.empty(); }));
  EXPECT_TRUE(std::any_of(checkout().begin(), checkout().end(), [](const auto& f) { return f.path == "tests/fuzz/fuzz"; }));
}
TEST(Checkout, LayersHaveAnOrder) { EXPECT_TRUE(holds(layers_without_order(layers()))); }
TEST(Checkout, LayersLinkWhatTheyMayInclude) {
  const Layers linked = read_cmake_layers(file_text(source_folder() / "CMakeLists.txt"));
  EXPECT_FALSE(linked.empty());
  EXPECT_EQ(linked, layers());
}
TEST(Checkout, IncludesObeyTheLayers) { EXPECT_TRUE(holds(includes_against_layers(checkout(), layers()))); }
TEST(Checkout, HasNoIncludeCycle) { EXPECT_TRUE(holds(include_cycles(checkout()))); }
TEST(Checkout, FormulasNameSourceAndAssumptions) { EXPECT_TRUE(holds(formulas_without_source(checkout()))); }
TEST(Checkout, HeadersHaveNoBareDimensions) { EXPECT_TRUE(holds(bare_dimensions(checkout()))); }
TEST(Checkout, LayersArePure) { EXPECT_TRUE(holds(impure_calls(checkout()))); }
TEST(Checkout, HasNoBannedWords) { EXPECT_TRUE(holds(banned_words(checkout()))); }
TEST(Checkout, EveryFileNamesItsLicence) { EXPECT_TRUE(holds(missing_licence(checkout()))); }
TEST(Checkout, FilesAndLinesAreShort) { EXPECT_TRUE(holds(too_long(checkout()))); }

const Layers two{{"low", {}}, {"middle", {"low"}}, {"high", {"middle"}}, {"api", {}}};

TEST(LayerRule, RefusesACycleAndAnUnknownName) {
  EXPECT_THAT(layers_without_order(two), IsEmpty());
  EXPECT_EQ(layers_without_order({{"a", {"b"}}, {"b", {"a"}}}).size(), 2);
  EXPECT_THAT(layers_without_order({{"a", {"b"}}}), ElementsAre(HasSubstr("b, which is no layer")));
}

TEST(LayerRule, ReachesDownThroughEveryLayerAndNeverUp) {
  EXPECT_THAT(reach(two, "high"), ElementsAre("high", "low", "middle"));
  EXPECT_THAT(reach(two, "low"), ElementsAre("low"));
}

TEST(LayerRule, RefusesAnIncludeUpward) {
  const Files files{{"src/low/a.h", "#include \"high/b.h\"\n"}, {"src/high/b.h", "#include \"low/a.h\"\n"}};
  EXPECT_THAT(includes_against_layers(files, two), ElementsAre("src/low/a.h:1: low may not include high/b.h"));
  EXPECT_THAT(include_cycles(files), ElementsAre(HasSubstr("which includes it")));
}

TEST(LayerRule, RefusesAFileThatIsNotThereAndAFolderThatIsNoLayer) {
  EXPECT_THAT(includes_against_layers({{"src/high/b.h", "#include \"low/gone.h\"\n"}}, two),
              ElementsAre(HasSubstr("there is no low/gone.h")));
  EXPECT_THAT(includes_against_layers({{"src/odd/b.h", ""}}, two), ElementsAre(HasSubstr("src/odd is not in layers.txt")));
  EXPECT_THAT(includes_against_layers({{"src/low/b.cpp", "#include \"b.h\"\n"}, {"src/low/b.h", ""}}, two),
              ElementsAre(HasSubstr("names no layer")));
}

TEST(LayerRule, LetsAnAppIncludeTheApiAndTruthAndItsOwnFilesAlone) {
  EXPECT_THAT(
      includes_against_layers(
          {{"apps/cli/main.cpp", "#include \"api/ask.h\"\n#include \"truth/fit.h\"\n#include \"table.h\"\n"},
           {"apps/cli/table.h", ""},
           {"src/api/ask.h", ""},
           {"src/truth/fit.h", ""}},
          {{"units", {}}, {"api", {}}, {"truth", {}}}),
      IsEmpty());
  EXPECT_THAT(includes_against_layers({{"apps/cli/main.cpp", "#include \"low/a.h\"\n"}, {"src/low/a.h", ""}}, two),
              ElementsAre(HasSubstr("apps may not include low/a.h")));
}

TEST(FormulaRule, WantsSourceAndAssumesOverFunctionsAndConstants) {
  EXPECT_THAT(
      formulas_without_source({{"src/perf/a.h", "namespace fareline {\n// Returns.\n// Source: x.\nSeconds stream(Bytes b);\n}\n"}}),
      ElementsAre("src/perf/a.h:4: stream has no \"Assumes:\" in the comment above it"));
  EXPECT_EQ(formulas_without_source({{"src/economics/a.h", "constexpr double hours(double x) { return x; }\n"}}).size(), 2);
  EXPECT_EQ(formulas_without_source({{"src/perf/a.cpp", "namespace {\nconstexpr Bytes page = 1 * unit::B;\n}\n"}}).size(), 2);
}

TEST(FormulaRule, HoldsForEveryFunctionOfTheGroupUnderOneCommentAndEndsAtABlankLine) {
  const std::string comment = "// Returns.\n// Source: x. Assumes: y.\n";
  EXPECT_THAT(formulas_without_source({{"src/perf/a.h", comment + "double a(int);\nBytes b(int);\n"}}), IsEmpty());
  EXPECT_THAT(formulas_without_source({{"src/perf/a.h", comment + "double a(int);\n\nBytes b(int);\n"}}).size(), 2);
  EXPECT_THAT(formulas_without_source({{"src/perf/a.h", comment + "double a(int) {\n  return 1;\n}\n// Other.\nBytes b(int);\n"}}).size(),
              2);
}

TEST(FormulaRule, LeavesMembersLocalsAndOtherLayersAlone) {
  EXPECT_THAT(formulas_without_source({{"src/perf/a.h", "struct A {\n  double share() const;\n  Seconds t{};\n};\n"},
                                       {"src/perf/a.cpp", "int f() {\nconst double x = 1;\nreturn 0;\n}\n"},
                                       {"src/units/a.h", "double f(int);\n"}}),
              IsEmpty());
}

TEST(DimensionRule, RefusesADoubleNamedLikeAQuantity) {
  for (const char* text :
       {"double seconds(int);", "void f(double kv_bytes);", "void f(double hbm_bandwidth_gbps);", "double dollars_per_hour = 0;"})
    EXPECT_EQ(bare_dimensions({{"src/perf/a.h", text}}).size(), 1) << text;
  for (const char* text :
       {"double bandwidth_share;", "double tokens;", "Bytes bytes(double layers);", "// double seconds", "double secondshand;"})
    EXPECT_THAT(bare_dimensions({{"src/perf/a.h", text}}), IsEmpty()) << text;
}

TEST(PurityRule, RefusesExitsEnvironmentClocksThreadsAndExceptions) {
  for (const char* text : {"std::exit(1);", "getenv(\"X\");", "std::chrono::seconds s;", "std::thread t;", "throw 1;",
                           "std::printf(\"x\");", "std::cout << 1;", "x = std::exp(1.0);", "std::pow(x, 2)"})
    EXPECT_EQ(impure_calls({{"src/perf/a.cpp", text}}).size(), 1) << text;
  for (const char* text :
       {"// exit(1)", "\"throw\"", "std::sqrt(x)", "step.time(x)", "Seconds time(Bytes b);", "exponential(x)", "fmt::format(\"x\")"})
    EXPECT_THAT(impure_calls({{"src/perf/a.cpp", text}}), IsEmpty()) << text;
}

TEST(WordRule, RefusesWhatIsLeftOpenAndNamesThatSayNothing) {
  for (const char* word : {"TODO", "FIXME", "XXX"}) EXPECT_EQ(banned_words({{"src/a/b.h", std::string("// ") + word}}).size(), 1) << word;
  for (const char* name : {"StringUtils", "ModelHelper", "CacheManager", "CommonThing"})
    EXPECT_EQ(banned_words({{"apps/cli/b.h", std::string("struct ") + name + ";"}}).size(), 1) << name;
  for (const char* path : {"src/units/utils.h", "src/perf/helper.cpp", "src/common/a.h", "src/perf/pass_util.h"})
    EXPECT_EQ(banned_words({{path, ""}}).size(), 1) << path;
  EXPECT_THAT(banned_words({{"src/a/uncommon.h", "// what they have in common\n"}}), IsEmpty());
}

TEST(LicenceRule, WantsTheLineFirstOrBelowTheInterpreter) {
  EXPECT_THAT(
      missing_licence({{"a.h", "// SPDX-License-Identifier: Apache-2.0\n"}, {"run", "#!/bin/sh\n# SPDX-License-Identifier: Apache-2.0\n"}}),
      IsEmpty());
  EXPECT_EQ(missing_licence({{"a.h", "#pragma once\n// SPDX-License-Identifier: Apache-2.0\n"}, {"b.h", ""}}).size(), 2);
}

TEST(LengthRule, BoundsLinesAndColumns) {
  std::string lines;
  for (int i = 0; i < 1201; ++i) lines += "x\n";
  EXPECT_EQ(too_long({{"a.h", lines}}).size(), 1);
  EXPECT_THAT(too_long({{"a.h", lines.substr(2)}}), IsEmpty());
  EXPECT_EQ(too_long({{"a.h", std::string(141, 'x')}}).size(), 1);
  std::string wide;
  for (int i = 0; i < 140; ++i) wide += "µ";
  EXPECT_THAT(too_long({{"a.h", wide}}), IsEmpty()) << "characters count, not bytes";
}

}  // namespace
}  // namespace fareline::test
