// SPDX-License-Identifier: Apache-2.0
// For the tests of pictures: reads XML strictly, or says at which byte it is not well formed.
#pragma once

#include <cctype>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fareline::plot {

struct Element {
  std::string name, text;  // text: its own, entities resolved, without that of its children
  std::map<std::string, std::string> attributes;
  int depth = 0;

  bool has_class(std::string_view name_wanted) const {
    const auto found = attributes.find("class");
    return found != attributes.end() && (" " + found->second + " ").find(" " + std::string(name_wanted) + " ") != std::string::npos;
  }
  double number(const std::string& key) const { return attributes.contains(key) ? std::strtod(attributes.at(key).c_str(), nullptr) : 0; }
  // The pairs of a points attribute.
  std::vector<std::pair<double, double>> points() const {
    std::vector<std::pair<double, double>> found;
    if (!attributes.contains("points")) return found;
    const char* at = attributes.at("points").c_str();
    while (*at) {
      char* end = nullptr;
      const double x = std::strtod(at, &end);
      at = end + 1;
      const double y = std::strtod(at, &end);
      found.emplace_back(x, y);
      at = *end ? end + 1 : end;
    }
    return found;
  }
};

class XmlReader {
 public:
  explicit XmlReader(std::string_view text) : rest_(text), size_(text.size()) {}

  // The elements in document order; nothing where the text is not well formed: one root, tags nested and closed, attributes
  // quoted and each once, only the five entities of XML, no stray < or &.
  std::optional<std::vector<Element>> read() {
    if (!element(0)) return std::nullopt;
    blanks();
    if (!rest_.empty()) return std::nullopt;
    return std::move(elements_);
  }
  std::size_t byte() const { return size_ - rest_.size(); }

 private:
  bool take(std::string_view token) {
    if (!rest_.starts_with(token)) return false;
    rest_.remove_prefix(token.size());
    return true;
  }
  void blanks() {
    while (!rest_.empty() && std::isspace(static_cast<unsigned char>(rest_[0]))) rest_.remove_prefix(1);
  }
  std::string name() {
    std::size_t n = 0;
    while (n < rest_.size() && (std::isalnum(static_cast<unsigned char>(rest_[n])) || std::string_view("-_:.").contains(rest_[n]))) ++n;
    std::string found(rest_.substr(0, n));
    rest_.remove_prefix(n);
    return found;
  }
  // Text up to `stop`, which is left standing.
  std::optional<std::string> characters(char stop) {
    std::string found;
    while (!rest_.empty() && rest_[0] != stop) {
      const char c = rest_[0];
      if (c == '<' || (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t' && c != '\r')) return std::nullopt;
      if (c != '&') {
        found += c;
        rest_.remove_prefix(1);
      } else if (take("&amp;")) found += '&';
      else if (take("&lt;")) found += '<';
      else if (take("&gt;")) found += '>';
      else if (take("&quot;")) found += '"';
      else if (take("&apos;")) found += '\'';
      else return std::nullopt;
    }
    return found;
  }
  bool element(int depth) {
    if (!take("<")) return false;
    const std::size_t index = elements_.size();
    elements_.push_back({name(), "", {}, depth});
    const std::string own = elements_[index].name;
    if (own.empty()) return false;
    while (true) {
      const bool apart = !rest_.empty() && std::isspace(static_cast<unsigned char>(rest_[0]));
      blanks();
      if (take("/>")) return true;
      if (take(">")) break;
      if (!apart) return false;
      const std::string key = name();
      if (key.empty() || !take("=\"")) return false;
      const auto value = characters('"');
      if (!value || !take("\"") || !elements_[index].attributes.emplace(key, *value).second) return false;
    }
    while (true) {
      const auto text = characters('<');
      if (!text) return false;
      elements_[index].text += *text;
      if (take("</")) return name() == own && take(">");
      if (!element(depth + 1)) return false;
    }
  }

  std::string_view rest_;
  std::size_t size_;
  std::vector<Element> elements_;
};

}  // namespace fareline::plot
