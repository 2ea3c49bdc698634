// SPDX-License-Identifier: Apache-2.0
// answers check|update|pages|refresh PROGRAM_FOLDER SOURCE FILE...: golden transcripts, and the commands of Markdown pages.
//
// A transcript (*.test) opens with prose that says what it shows. Then come blocks, each a command and what it prints:
//     $ fareline memory --model deepseek-ai/DeepSeek-V3 --system hgx-h100
//     expected lines; "..." alone on a line stands for any lines, within a line for any characters
//     exit 2
// Output and errors are taken together; blank lines at the end do not count. The last line names the exit status where it
// is not 0. A block that says "needs shared" right below its command is skipped where ../shared is not there.
// `update` rewrites the blocks that do not hold and leaves those that do, with their "...", as they are.
// `pages` runs the commands of FILE's fenced blocks, lines that start with "fareline " or "./run", with or without "$ " before.
// Behind "$ " a command may be followed by what it prints, as in a transcript; without, it must exit 0. Text in bold that holds a
// digit must stand in what one of the page's commands prints: a number in the prose is one the reader can get.
// `refresh` rewrites in FILE what no longer holds: a line takes the place of the one that begins alike, "..." stays.
// Commands run by sh, with the program on PATH, in a scratch folder that shows the checkout's files: what they write is
// thrown away.
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace {

namespace fs = std::filesystem;
using Lines = std::vector<std::string>;

constexpr int skip_status = 77;

struct Block {
  std::string command;
  bool needs_shared = false;
  Lines expected;
};

struct Transcript {
  Lines prose;
  std::vector<Block> blocks;
};

Lines lines_of(std::istream& in) {
  Lines lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

void trim_end(Lines& lines) {
  while (!lines.empty() && lines.back().empty()) lines.pop_back();
}

Lines read_lines(const fs::path& path) {
  std::ifstream in(path);
  if (!in) {
    std::fprintf(stderr, "answers: cannot read %s\n", path.c_str());
    std::exit(2);
  }
  return lines_of(in);
}

Transcript read_transcript(const fs::path& path) {
  Transcript transcript;
  for (std::string& line : read_lines(path)) {
    if (line.starts_with("$ ")) transcript.blocks.push_back({line.substr(2), false, {}});
    else if (transcript.blocks.empty()) transcript.prose.push_back(std::move(line));
    else if (line == "needs shared" && transcript.blocks.back().expected.empty()) transcript.blocks.back().needs_shared = true;
    else transcript.blocks.back().expected.push_back(std::move(line));
  }
  for (Block& block : transcript.blocks) trim_end(block.expected);
  return transcript;
}

bool line_matches(std::string_view pattern, std::string_view line) {
  const auto dots = pattern.find("...");
  if (dots == std::string_view::npos) return pattern == line;
  if (!line.starts_with(pattern.substr(0, dots))) return false;
  const std::string_view rest = pattern.substr(dots + 3);
  for (std::size_t from = dots; from <= line.size(); ++from)
    if (line_matches(rest, line.substr(from))) return true;
  return false;
}

// Whether `lines` from `j` on are what `pattern` from `i` on says.
bool matches(const Lines& pattern, const Lines& lines, std::size_t i = 0, std::size_t j = 0) {
  for (; i < pattern.size(); ++i, ++j) {
    if (pattern[i] == "...") {
      for (std::size_t next = j; next <= lines.size(); ++next)
        if (matches(pattern, lines, i + 1, next)) return true;
      return false;
    }
    if (j == lines.size() || !line_matches(pattern[i], lines[j])) return false;
  }
  return j == lines.size();
}

// A folder that holds a link to every file and folder at the top of the checkout, removed at the end.
class Scratch {
 public:
  explicit Scratch(const fs::path& source) {
    std::string name = (fs::temp_directory_path() / "fareline-answers-XXXXXX").string();
    if (!mkdtemp(name.data())) std::abort();
    path_ = name;
    for (const auto& entry : fs::directory_iterator(source)) fs::create_symlink(entry.path(), path_ / entry.path().filename());
  }
  ~Scratch() { fs::remove_all(path_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

// What `command` prints, with a last line "exit N" where N is not 0.
Lines run(const std::string& command, const fs::path& folder) {
  const std::string script = "cd '" + folder.string() + "' && { " + command + "\n} </dev/null 2>&1";
  std::FILE* pipe = popen(script.c_str(), "r");
  if (!pipe) std::abort();
  std::string text;
  char buffer[4096];
  while (const std::size_t size = std::fread(buffer, 1, sizeof buffer, pipe)) text.append(buffer, size);
  const int status = pclose(pipe);
  std::istringstream in(text);
  Lines lines = lines_of(in);
  trim_end(lines);
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  if (code != 0) lines.push_back("exit " + std::to_string(code));
  return lines;
}

void print(const char* title, const Lines& lines) {
  std::printf("%s\n", title);
  for (const std::string& line : lines) std::printf("  |%s\n", line.c_str());
}

int check(const fs::path& file, const fs::path& scratch, bool shared) {
  const Transcript transcript = read_transcript(file);
  int failures = 0, skipped = 0;
  for (const Block& block : transcript.blocks) {
    if (block.needs_shared && !shared) {
      ++skipped;
      continue;
    }
    const Lines printed = run(block.command, scratch);
    if (matches(block.expected, printed)) continue;
    ++failures;
    std::printf("%s\n$ %s\n", file.c_str(), block.command.c_str());
    print("expected:", block.expected);
    print("printed:", printed);
  }
  if (transcript.blocks.empty()) std::printf("%s: no command\n", file.c_str());
  if (failures > 0 || transcript.blocks.empty()) return 1;
  if (skipped > 0) std::printf("%s: %d commands need ../shared, which is not here\n", file.c_str(), skipped);
  return skipped == static_cast<int>(transcript.blocks.size()) ? skip_status : 0;
}

int update(const fs::path& file, const fs::path& scratch, bool shared) {
  Transcript transcript = read_transcript(file);
  std::ostringstream out;
  for (const std::string& line : transcript.prose) out << line << '\n';
  for (const Block& block : transcript.blocks) {
    Lines expected = block.expected;
    if (shared || !block.needs_shared) {
      const Lines printed = run(block.command, scratch);
      if (!matches(expected, printed)) {
        std::printf("%s: rewrote $ %s\n", file.c_str(), block.command.c_str());
        expected = printed;
      }
    }
    out << "$ " << block.command << '\n';
    if (block.needs_shared) out << "needs shared\n";
    for (const std::string& line : expected) out << line << '\n';
    out << (&block == &transcript.blocks.back() ? "" : "\n");
  }
  std::ofstream(file) << out.str();
  return 0;
}

// A command of a Markdown page, and where in the page what it prints stands: lines [first, last).
struct Shown {
  std::string command;
  bool shows = false;  // "$ " stands before it
  std::size_t first = 0, last = 0;
};

std::vector<Shown> commands_of(const Lines& page) {
  std::vector<Shown> all;
  bool fenced = false, open = false;
  for (std::size_t i = 0; i < page.size(); ++i) {
    const std::string& line = page[i];
    const bool prompt = line.starts_with("$ ");
    const std::string command = prompt ? line.substr(2) : line;
    if (line.starts_with("```")) {
      fenced = !fenced;
      open = false;
    } else if (fenced && (prompt || !open) && (command.starts_with("fareline ") || command == "./run" || command.starts_with("./run "))) {
      all.push_back({command, prompt, i + 1, i + 1});
      open = prompt;
    } else if (prompt) {
      open = false;
    } else if (open) {
      all.back().last = i + 1;
    }
  }
  return all;
}

Lines expected_of(const Lines& page, const Shown& shown) {
  Lines expected(page.begin() + static_cast<std::ptrdiff_t>(shown.first), page.begin() + static_cast<std::ptrdiff_t>(shown.last));
  trim_end(expected);
  return expected;
}

// Bold text of the prose that holds a digit.
Lines bold_numbers(const Lines& page) {
  Lines bold;
  bool fenced = false;
  for (const std::string& line : page) {
    if (line.starts_with("```")) fenced = !fenced;
    if (fenced) continue;
    for (std::size_t at = line.find("**"); at != std::string::npos;) {
      const std::size_t end = line.find("**", at + 2);
      if (end == std::string::npos) break;
      const std::string text = line.substr(at + 2, end - at - 2);
      if (text.find_first_of("0123456789") != std::string::npos) bold.push_back(text);
      at = line.find("**", end + 2);
    }
  }
  return bold;
}

int check_page(const fs::path& file, const fs::path& scratch) {
  const Lines page = read_lines(file);
  const std::vector<Shown> all = commands_of(page);
  int failures = 0;
  std::string everything;
  for (const Shown& shown : all) {
    const Lines printed = run(shown.command, scratch), expected = expected_of(page, shown);
    for (const std::string& line : printed) everything += line + "\n";
    const bool holds = expected.empty() ? !printed.empty() && !printed.back().starts_with("exit ") : matches(expected, printed);
    if (holds) continue;
    ++failures;
    std::printf("%s\n$ %s\n", file.c_str(), shown.command.c_str());
    if (!expected.empty()) print("expected:", expected);
    print("printed:", printed);
  }
  for (const std::string& number : bold_numbers(page)) {
    if (everything.find(number) != std::string::npos) continue;
    ++failures;
    std::printf("%s: \"%s\" is in bold, and no command of the page prints it\n", file.c_str(), number.c_str());
  }
  std::printf("%s: %zu commands, %d failed\n", file.c_str(), all.size(), failures);
  if (failures > 0) std::printf("what they print has changed? docs/update rewrites it; read the difference\n");
  return failures > 0 || all.empty() ? 1 : 0;
}

// The words a line begins with: up to two blanks, or its first number.
std::string beginning(const std::string& line) {
  std::size_t end = line.find_first_not_of(' ');
  if (end == std::string::npos) return {};
  while (end < line.size() && !(line[end] >= '0' && line[end] <= '9') && line.compare(end, 2, "  ") != 0) ++end;
  return line.substr(0, end);
}

// What was expected with each line replaced by the next printed one that begins alike; all that is printed where one has none.
Lines refreshed(const Lines& expected, const Lines& printed) {
  Lines fresh;
  std::size_t next = 0;
  for (const std::string& line : expected) {
    if (line == "...") {
      fresh.push_back(line);
      continue;
    }
    std::size_t at = next;
    while (at < printed.size() && beginning(printed[at]) != beginning(line)) ++at;
    if (at == printed.size()) return printed;
    fresh.push_back(printed[at]);
    next = at + 1;
  }
  return matches(fresh, printed) ? fresh : printed;
}

int refresh(const fs::path& file, const fs::path& scratch) {
  Lines page = read_lines(file);
  const std::vector<Shown> all = commands_of(page);
  for (auto shown = all.rbegin(); shown != all.rend(); ++shown) {
    const Lines expected = expected_of(page, *shown);
    if (expected.empty()) continue;
    const Lines printed = run(shown->command, scratch);
    if (matches(expected, printed)) continue;
    std::printf("%s: rewrote $ %s\n", file.c_str(), shown->command.c_str());
    const Lines fresh = refreshed(expected, printed);
    const auto first = page.erase(page.begin() + static_cast<std::ptrdiff_t>(shown->first),
                                  page.begin() + static_cast<std::ptrdiff_t>(shown->first + expected.size()));
    page.insert(first, fresh.begin(), fresh.end());
  }
  std::ofstream out(file);
  for (const std::string& line : page) out << line << '\n';
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view verb = argc > 4 ? argv[1] : "";
  if (verb != "check" && verb != "update" && verb != "pages" && verb != "refresh") {
    std::fprintf(stderr, "usage: answers check|update|pages|refresh PROGRAM_FOLDER SOURCE FILE...\n");
    return 2;
  }
  const fs::path source = fs::absolute(argv[3]);
  const char* path = std::getenv("PATH");
  setenv("PATH", (fs::absolute(argv[2]).string() + ":" + (path ? path : "/usr/bin:/bin")).c_str(), 1);
  const fs::path shared = source.parent_path() / "shared";
  setenv("SHARED", shared.c_str(), 1);  // $SHARED in a command
  const Scratch scratch(source);
  int status = 0;
  for (int i = 4; i < argc; ++i) {
    const int one = verb == "check"    ? check(argv[i], scratch.path(), fs::is_directory(shared))
                    : verb == "update" ? update(argv[i], scratch.path(), fs::is_directory(shared))
                    : verb == "pages"  ? check_page(argv[i], scratch.path())
                                       : refresh(argv[i], scratch.path());
    if (one != 0 && status != 1) status = one;
  }
  return status;
}
