// SPDX-License-Identifier: Apache-2.0
#include "tests/architecture/source_rules.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <regex>
#include <sstream>

namespace fareline::test {
namespace {

using Lines = std::vector<std::string>;

Lines lines_of(std::string_view text) {
  Lines lines;
  std::istringstream in{std::string(text)};
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::string at(const SourceFile& file, std::size_t line, const std::string& what) {
  return file.path + ":" + std::to_string(line + 1) + ": " + what;
}

bool is_code(const SourceFile& file) { return file.path.ends_with(".h") || file.path.ends_with(".cpp"); }
bool is_test(const SourceFile& file) { return file.path.ends_with("_test.cpp"); }

// "perf" for src/perf/pass.h; empty outside src/.
std::string layer_of(const SourceFile& file) {
  if (!file.path.starts_with("src/")) return {};
  const auto end = file.path.find('/', 4);
  return end == std::string::npos ? std::string() : file.path.substr(4, end - 4);
}

// The text with comments and the insides of string and character literals blanked, lines kept.
std::string code_of(std::string_view text) {
  std::string code(text);
  enum class In { plain, line_comment, block_comment, string, character } in = In::plain;
  for (std::size_t i = 0; i < code.size(); ++i) {
    const char c = code[i], next = i + 1 < code.size() ? code[i + 1] : '\0';
    if (in == In::plain) {
      if (c == '/' && next == '/') in = In::line_comment;
      else if (c == '/' && next == '*') in = In::block_comment;
      else if (c == '"') in = In::string;
      else if (c == '\'' && (i == 0 || !std::isalnum(static_cast<unsigned char>(code[i - 1])))) in = In::character;
      if (in == In::line_comment || in == In::block_comment) code[i] = ' ';
      continue;
    }
    if (c == '\n') {
      if (in != In::block_comment) in = In::plain;
      continue;
    }
    if ((in == In::string && c == '"') || (in == In::character && c == '\'')) {
      in = In::plain;
      continue;
    }
    if (in == In::block_comment && c == '*' && next == '/') {
      code[i] = code[i + 1] = ' ';
      ++i;
      in = In::plain;
      continue;
    }
    if ((in == In::string || in == In::character) && c == '\\' && next != '\n') code[i++] = ' ';
    code[i] = ' ';
  }
  return code;
}

// The file that each `#include "..."` names, and its line.
std::vector<std::pair<std::size_t, std::string>> includes_of(const SourceFile& file) {
  static const std::regex include("^\\s*#\\s*include\\s*\"([^\"]+)\"");
  std::vector<std::pair<std::size_t, std::string>> found;
  const Lines lines = lines_of(file.text);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    std::smatch match;
    if (std::regex_search(lines[i], match, include)) found.emplace_back(i, match[1]);
  }
  return found;
}

std::set<std::string> words_of(const std::string& text) {
  std::istringstream in(text);
  std::set<std::string> words;
  for (std::string word; in >> word;) words.insert(word);
  return words;
}

void each_match(const std::string& text, const std::regex& pattern,
                const std::function<void(std::size_t line, const std::smatch&)>& found) {
  const Lines lines = lines_of(text);
  for (std::size_t i = 0; i < lines.size(); ++i)
    for (std::sregex_iterator match(lines[i].begin(), lines[i].end(), pattern), end; match != end; ++match) found(i, *match);
}

}  // namespace

Layers read_layers(std::string_view text) {
  Layers layers;
  for (std::string line : lines_of(text)) {
    line = line.substr(0, line.find('#'));
    const auto colon = line.find(':');
    if (colon == std::string::npos) continue;
    const std::set<std::string> name = words_of(line.substr(0, colon));
    if (name.size() == 1) layers[*name.begin()] = words_of(line.substr(colon + 1));
  }
  return layers;
}

Layers read_cmake_layers(std::string_view text) {
  static const std::regex call("^fareline_layer\\((\\w+)([^)]*)\\)");
  Layers layers;
  for (const std::string& line : lines_of(text)) {
    std::smatch match;
    if (std::regex_search(line, match, call)) layers[match[1]] = words_of(match[2]);
  }
  return layers;
}

std::set<std::string> reach(const Layers& layers, const std::string& layer) {
  std::set<std::string> reached;
  std::vector<std::string> open{layer};
  while (!open.empty()) {
    const std::string next = open.back();
    open.pop_back();
    if (!reached.insert(next).second) continue;
    if (const auto found = layers.find(next); found != layers.end()) open.insert(open.end(), found->second.begin(), found->second.end());
  }
  return reached;
}

Violations layers_without_order(const Layers& layers) {
  Violations violations;
  for (const auto& [layer, lower] : layers)
    for (const std::string& name : lower) {
      if (!layers.contains(name)) violations.push_back(layer + " names " + name + ", which is no layer");
      if (reach(layers, name).contains(layer)) violations.push_back(layer + " stands on " + name + ", which stands on it");
    }
  return violations;
}

Violations includes_against_layers(const Files& files, const Layers& layers) {
  Violations violations;
  std::set<std::string> paths;
  for (const SourceFile& file : files) paths.insert(file.path);
  for (const SourceFile& file : files) {
    const bool app = file.path.starts_with("apps/");
    const std::string layer = layer_of(file);
    if (!is_code(file) || (!app && layer.empty())) continue;
    if (!app && !layers.contains(layer)) {
      violations.push_back(file.path + ": src/" + layer + " is not in layers.txt");
      continue;
    }
    const std::set<std::string> allowed = app ? std::set<std::string>{"api", "plot", "truth", "units"} : reach(layers, layer);
    for (const auto& [line, name] : includes_of(file)) {
      const auto slash = name.find('/');
      if (is_test(file) && (name == "tests/place.h" || name == "tests/scenes.h")) continue;
      if (slash == std::string::npos) {
        const bool beside = app && paths.contains(file.path.substr(0, file.path.rfind('/') + 1) + name);
        if (!beside) violations.push_back(at(file, line, "\"" + name + "\" names no layer"));
        continue;
      }
      const std::string folder = name.substr(0, slash);
      if (!allowed.contains(folder)) violations.push_back(at(file, line, (app ? "apps" : layer) + " may not include " + name));
      else if (!paths.contains("src/" + name)) violations.push_back(at(file, line, "there is no " + name));
    }
  }
  return violations;
}

Violations include_cycles(const Files& files) {
  std::map<std::string, std::vector<std::string>> below;
  for (const SourceFile& file : files)
    if (file.path.starts_with("src/"))
      for (const auto& [line, name] : includes_of(file)) below[file.path].push_back("src/" + name);
  Violations violations;
  std::map<std::string, int> state;  // 1: on the way, 2: done
  const std::function<void(const std::string&)> visit = [&](const std::string& path) {
    state[path] = 1;
    for (const std::string& next : below[path]) {
      if (state[next] == 1) violations.push_back(path + ": includes " + next + ", which includes it");
      else if (state[next] == 0) visit(next);
    }
    state[path] = 2;
  };
  for (const SourceFile& file : files)
    if (state[file.path] == 0) visit(file.path);
  return violations;
}

Violations formulas_without_source(const Files& files) {
  static const std::string quantity =
      "(?:fareline::)?(?:double|Bytes|Flops|Seconds|Joules|Dollars|Tokens|Bandwidth|FlopRate|Watts|Frequency|TokenRate|MoneyRate|"
      "TokenPrice|EnergyPrice|StoragePrice|BytesPerToken|Quantity<[^>]*>)";
  static const std::regex function("^(?:template\\s*<[^>]*>\\s*)?(?:\\[\\[nodiscard\\]\\]\\s*|constexpr\\s+|inline\\s+|static\\s+)*" +
                                   quantity + "\\s+(\\w+)\\s*\\(");
  static const std::regex constant("^(?:inline\\s+|static\\s+)*(?:constexpr|const)\\s+(?:inline\\s+|static\\s+)*" + quantity +
                                   "\\s+(\\w+)\\s*[={]");
  static const std::regex opens_namespace("^\\s*(?:inline\\s+)?namespace\\b[^;{]*\\{");
  Violations violations;
  for (const SourceFile& file : files) {
    const std::string layer = layer_of(file);
    if (!is_code(file) || is_test(file) || (layer != "perf" && layer != "economics")) continue;
    const bool header = file.path.ends_with(".h");
    const Lines lines = lines_of(file.text), code = lines_of(code_of(file.text));
    int depth = 0;  // braces open, those of namespaces left out
    int namespaces = 0;
    std::optional<std::string> block;  // the comment over this group of lines; a blank line ends the group
    bool in_comment = false;
    for (std::size_t i = 0; i < code.size(); ++i) {
      const auto text = lines[i].find_first_not_of(" \t");
      if (depth == 0) {
        if (text == std::string::npos) block.reset();
        else if (lines[i].compare(text, 2, "//") == 0) {
          block = in_comment && block ? *block + "\n" : std::string();
          block->append(lines[i]);
          in_comment = true;
          continue;
        }
        in_comment = false;
        std::smatch match;
        const bool formula = (header && std::regex_search(code[i], match, function)) || std::regex_search(code[i], match, constant);
        if (formula) {
          const std::string said = block.value_or("") + lines[i];
          for (const char* due : {"Source:", "Assumes:"})
            if (said.find(due) == std::string::npos)
              violations.push_back(at(file, i, match[1].str() + " has no \"" + due + "\" in the comment above it"));
        }
      }
      if (depth == 0 && std::regex_search(code[i], opens_namespace)) {
        ++namespaces;
        continue;
      }
      for (const char c : code[i]) {
        if (c == '{') ++depth;
        else if (c == '}' && depth > 0) --depth;
        else if (c == '}' && namespaces > 0) --namespaces;
      }
    }
  }
  return violations;
}

Violations bare_dimensions(const Files& files) {
  static const std::set<std::string> dimensioned{
      "second", "seconds", "ms",        "us",     "ns",      "hours", "byte", "bytes", "gb", "gib",   "tb",     "gbps", "flop",   "flops",
      "tflops", "pflops",  "bandwidth", "dollar", "dollars", "usd",   "watt", "watts", "kw", "joule", "joules", "kwh",  "latency"};
  static const std::set<std::string> without{"share", "ratio", "fraction", "factor", "efficiency", "scale", "multiplier"};
  static const std::regex declared("\\b(?:double|float)\\s*&?\\s*(\\w+)");
  Violations violations;
  for (const SourceFile& file : files) {
    if (layer_of(file).empty() || !file.path.ends_with(".h")) continue;
    each_match(code_of(file.text), declared, [&](std::size_t line, const std::smatch& match) {
      std::string name = match[1];
      std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return c == '_' ? ' ' : std::tolower(c); });
      std::istringstream in(name);
      std::string last;
      bool dimension = false;
      for (std::string part; in >> part; last = part) dimension = dimension || dimensioned.contains(part);
      if (dimension && !without.contains(last))
        violations.push_back(at(file, line, "double " + match[1].str() + " has a dimension: use its Quantity"));
    });
  }
  return violations;
}

Violations impure_calls(const Files& files) {
  static const std::regex impure(
      "\\b(?:std::)?(?:quick_exit|_exit|exit|getenv|gettimeofday|srand|sleep)\\s*\\(|\\bstd::(?:system|time|clock|rand)\\s*\\(|"
      "\\bstd::(?:cout|cerr|clog|chrono|thread|jthread|async|mutex|random_device)\\b|"
      "\\b(?:std::|fmt::)?(?:printf|fprintf|puts|fputs)\\s*\\(|\\bfmt::print\\b|"
      "\\b(?:throw|try|catch)\\b|\\bdynamic_cast\\b|"
      "\\bstd::(?:log|log2|log10|log1p|exp|exp2|expm1|pow|cbrt|sin|cos|tan|tanh|erf|tgamma|lgamma)\\s*\\(");
  static const std::string checks = "src/units/error.cpp";  // FARELINE_CHECK prints where it failed and aborts
  Violations violations;
  for (const SourceFile& file : files) {
    if (layer_of(file).empty() || !is_code(file) || is_test(file) || file.path == checks) continue;
    each_match(code_of(file.text), impure, [&](std::size_t line, const std::smatch& match) {
      violations.push_back(at(file, line, "\"" + match.str() + "\" has no place below apps/"));
    });
  }
  return violations;
}

Violations banned_words(const Files& files) {
  static const std::regex banned(
      "\\b(?:TODO|FIXME|XXX|HACK)\\b|\\w*(?:Utils|Utilities|Helper|Manager|Common)\\w*|\\b\\w*_(?:utils?|helpers?|manager)\\b");
  static const std::regex named("(?:^|[_/])(?:utils?|helpers?|manager|common|misc)(?=[_./]|$)");
  Violations violations;
  for (const SourceFile& file : files) {
    if (!file.path.starts_with("src/") && !file.path.starts_with("apps/")) continue;
    std::smatch match;
    if (std::regex_search(file.path, match, named)) violations.push_back(file.path + ": a name that says nothing");
    each_match(file.text, banned, [&](std::size_t line, const std::smatch& word) { violations.push_back(at(file, line, word.str())); });
  }
  return violations;
}

Violations missing_licence(const Files& files) {
  Violations violations;
  for (const SourceFile& file : files) {
    const Lines lines = lines_of(file.text);
    const std::size_t first = !lines.empty() && lines[0].starts_with("#!") ? 1 : 0;
    const std::string line = first < lines.size() ? lines[first] : "";
    if (line != "// SPDX-License-Identifier: Apache-2.0" && line != "# SPDX-License-Identifier: Apache-2.0")
      violations.push_back(at(file, first, "no SPDX line"));
  }
  return violations;
}

Violations too_long(const Files& files) {
  constexpr std::size_t most_lines = 1200, most_columns = 140;
  Violations violations;
  for (const SourceFile& file : files) {
    const Lines lines = lines_of(file.text);
    if (lines.size() > most_lines) violations.push_back(file.path + ": " + std::to_string(lines.size()) + " lines, split it by topic");
    for (std::size_t i = 0; i < lines.size(); ++i) {
      const auto columns =
          std::count_if(lines[i].begin(), lines[i].end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
      if (static_cast<std::size_t>(columns) > most_columns) violations.push_back(at(file, i, std::to_string(columns) + " characters"));
    }
  }
  return violations;
}

}  // namespace fareline::test
