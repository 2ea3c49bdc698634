// SPDX-License-Identifier: Apache-2.0
#include "files.h"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <fmt/format.h>

#include "truth/table.h"

namespace fareline::cli {

Expected<std::string> read_file(const std::string& path, std::size_t most) {
  std::error_code code;
  const auto status = std::filesystem::status(path, code);
  if (code || !std::filesystem::exists(status)) return fail(path, "there is no such file", "give the path of an existing file");
  if (std::filesystem::is_directory(status)) return fail(path, "is a folder", "give the path of a file");
  const auto size = std::filesystem::is_regular_file(status) ? std::filesystem::file_size(path, code) : 0;
  if (!code && size > most)
    return fail(path, fmt::format("has {} MB", size / 1000000), fmt::format("give a file of at most {} MB", most / 1000000));
  std::ifstream in(path, std::ios::binary);
  if (!in) return fail(path, "cannot be read", "check its permissions");
  std::string text;
  std::string block(1 << 16, '\0');
  while (in.read(block.data(), static_cast<std::streamsize>(block.size())) || in.gcount() > 0) {
    text.append(block, 0, static_cast<std::size_t>(in.gcount()));
    if (text.size() > most) return fail(path, "does not end", fmt::format("give a file of at most {} MB", most / 1000000));
  }
  return text;
}

Expected<nlohmann::ordered_json> read_rows(const std::string& path) {
  constexpr std::size_t table_bytes = 64'000'000;
  const auto bytes = read_file(path, table_bytes);
  if (!bytes) return std::unexpected(bytes.error());
  auto table = TableReader::open(path, *bytes);
  if (!table) return std::unexpected(table.error());
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  while (true) {
    const auto more = table->next();
    if (!more) return std::unexpected(more.error());
    if (!*more) break;
    nlohmann::ordered_json row = nlohmann::ordered_json::object();
    for (std::size_t i = 0; i < table->columns().size(); ++i)
      if (!table->text(i).empty()) row[table->columns()[i]] = std::string(table->text(i));
    rows.push_back(std::move(row));
  }
  return nlohmann::ordered_json{{"name", path}, {"rows", std::move(rows)}};
}

Expected<void> write_file(const std::string& path, const std::string& text) {
  if (path == "-") {
    std::fwrite(text.data(), 1, text.size(), stdout);
    return {};
  }
  const std::string beside = path + ".part";
  std::ofstream out(beside, std::ios::binary);
  out << text;
  out.close();
  std::error_code code;
  if (out) std::filesystem::rename(beside, path, code);
  if (!out || code) {
    std::filesystem::remove(beside, code);
    return fail(path, "cannot be written", "check the folder and its permissions");
  }
  return {};
}

StreamedFile::StreamedFile(std::string path) : path_(std::move(path)), file_(std::fopen((path_ + ".part").c_str(), "wb")) {}

StreamedFile::~StreamedFile() {
  if (!file_) return;
  std::fclose(file_);
  std::error_code code;
  std::filesystem::remove(path_ + ".part", code);
}

void StreamedFile::write(std::string_view text) {
  if (file_ && std::fwrite(text.data(), 1, text.size(), file_) != text.size()) failed_ = true;
}

Expected<void> StreamedFile::opened() const {
  if (!file_) return fail(path_, "cannot be written", "check the folder and its permissions");
  return {};
}

Expected<void> StreamedFile::keep() {
  if (const auto open = opened(); !open) return open;
  failed_ = std::fclose(file_) != 0 || failed_;
  file_ = nullptr;
  std::error_code code;
  if (!failed_) std::filesystem::rename(path_ + ".part", path_, code);
  if (failed_ || code) {
    std::filesystem::remove(path_ + ".part", code);
    return fail(path_, "cannot be written", "check the space on the disk");
  }
  return {};
}

}  // namespace fareline::cli
