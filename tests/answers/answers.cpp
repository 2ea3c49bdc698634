// SPDX-License-Identifier: Apache-2.0
// answers check|update|commands PROGRAM_FOLDER SOURCE FILE...: golden transcripts, and the commands of a Markdown file.
//
// A transcript (*.test) opens with prose that says what it shows. Then come blocks, each a command and what it prints:
//     $ fareline memory --model deepseek-ai/DeepSeek-V3 --system hgx-h100
//     expected lines; "..." alone on a line stands for any lines, within a line for any characters
//     exit 2
// Output and errors are taken together; blank lines at the end do not count. The last line names the exit status where it
// is not 0. A block that says "needs shared" right below its command is skipped where ../shared is not there.
// `update` rewrites the blocks that do not hold and leaves those that do, with their "...", as they are.
// `commands` runs each line of FILE's fenced blocks that starts with "fareline " or "./run": each must exit 0.
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

int commands(const fs::path& file, const fs::path& scratch) {
  bool fenced = false;
  int ran = 0, failures = 0;
  for (const std::string& line : read_lines(file)) {
    if (line.starts_with("```")) fenced = !fenced;
    const std::string command = line.starts_with("$ ") ? line.substr(2) : line;
    if (!fenced || !(command.starts_with("fareline ") || command == "./run" || command.starts_with("./run "))) continue;
    ++ran;
    const Lines printed = run(command, scratch);
    if (printed.empty() || printed.back().starts_with("exit ")) {
      ++failures;
      std::printf("%s\n$ %s\n", file.c_str(), command.c_str());
      print("printed:", printed);
    }
  }
  std::printf("%s: %d commands, %d failed\n", file.c_str(), ran, failures);
  return failures > 0 || ran == 0 ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view verb = argc > 4 ? argv[1] : "";
  if (verb != "check" && verb != "update" && verb != "commands") {
    std::fprintf(stderr, "usage: answers check|update|commands PROGRAM_FOLDER SOURCE FILE...\n");
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
                                       : commands(argv[i], scratch.path());
    if (one != 0 && status != 1) status = one;
  }
  return status;
}
