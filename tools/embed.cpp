// SPDX-License-Identifier: Apache-2.0
// embed DIR OUT.cpp: writes every *.json below DIR into one C++ file that defines fareline::embedded_files().
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

int main(int argc, char** argv) {
  if (argc != 3) { std::fprintf(stderr, "usage: embed DIR OUT.cpp\n"); return 2; }
  const std::filesystem::path root = argv[1];
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root))
    if (entry.is_regular_file() && entry.path().extension() == ".json") paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());

  std::ofstream out(argv[2]);
  out << "#include \"catalog/embedded.h\"\nnamespace fareline {\nstatic const EmbeddedFile files[] = {\n";
  for (const auto& path : paths) {
    std::ifstream in(path, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    out << "{\"" << std::filesystem::relative(path, root).generic_string() << "\", std::string_view(\n";
    for (std::size_t i = 0; i < text.size(); i += 4000) {  // compilers bound the length of one literal
      out << "\"";
      for (const char c : text.substr(i, 4000)) {
        if (c == '\n') out << "\\n";
        else if (c == '"' || c == '\\') out << '\\' << c;
        else if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7F) {
          char escape[8];
          std::snprintf(escape, sizeof escape, "\\%03o", static_cast<unsigned char>(c));
          out << escape;
        } else out << c;
      }
      out << "\"\n";
    }
    if (text.empty()) out << "\"\"";
    out << ", " << text.size() << ")},\n";
  }
  out << "{{}, {}}};\nstd::span<const EmbeddedFile> embedded_files() { return {files, " << paths.size() << "}; }\n}\n";
  return out.good() ? 0 : 1;
}
