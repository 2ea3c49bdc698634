// SPDX-License-Identifier: Apache-2.0
// The rules of the source text that no compiler checks, each a function from files to the lines that break it
// ("src/perf/pass.h:12: ..."; empty where all is well), so that each rule is itself tried on files that break it.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace fareline::test {

struct SourceFile {
  std::string path;  // from the root of the checkout: "src/units/text.h"
  std::string text;
};

using Files = std::vector<SourceFile>;
using Violations = std::vector<std::string>;
using Layers = std::map<std::string, std::set<std::string>>;  // a layer, and those it names

// Reads layers.txt: "name: lower lower", comments from '#'.
Layers read_layers(std::string_view text);
// Reads the fareline_layer(name lower...) lines of CMakeLists.txt.
Layers read_cmake_layers(std::string_view text);
// Every layer that `layer` may include: itself and what it names, transitively.
std::set<std::string> reach(const Layers& layers, const std::string& layer);

Violations layers_without_order(const Layers& layers);                         // a name that is no layer, a layer above itself
Violations includes_against_layers(const Files& files, const Layers& layers);  // also folders of src/ that are no layer
Violations include_cycles(const Files& files);                                 // #pragma once hides them from the compiler
Violations formulas_without_source(const Files& files);                        // functions and constants of perf/ and economics/
Violations bare_dimensions(const Files& files);                                // a double named like a quantity, in a header of src/
Violations impure_calls(const Files& files);  // exit, environment, clock, thread, log, exception, std::exp in src/
Violations banned_words(const Files& files);  // in src/ and apps/
Violations missing_licence(const Files& files);
Violations too_long(const Files& files);  // lines of a file, characters of a line of code

}  // namespace fareline::test
