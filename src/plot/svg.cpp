// SPDX-License-Identifier: Apache-2.0
#include "plot/svg.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <map>

#include <fmt/format.h>

namespace fareline::plot {
namespace {

struct Ink {
  std::string_view light, dark;
};

// Okabe and Ito's colours (see stroke_class); on dark paper the same hues, lighter where the original is too dark to read.
constexpr auto palette = std::to_array<Ink>({
    {"#0072B2", "#4FA8E0"},  // blue
    {"#D55E00", "#F0803C"},  // vermillion
    {"#009E73", "#2CC295"},  // bluish green
    {"#CC79A7", "#DE97BE"},  // reddish purple
    {"#E69F00", "#E6AC2E"},  // orange
    {"#56B4E9", "#8CCBF0"},  // sky blue
    {"#6E7781", "#A3ABB5"},  // grey
});
static_assert(palette.size() == palette_size);

constexpr auto kinds = std::to_array<std::pair<std::string_view, int>>(
    {{"weights", 0}, {"flops", 1}, {"kv", 2}, {"collectives", 3}, {"launches", 4}, {"capacity", 6}});

std::string rules(bool dark) {
  const auto ink = [&](std::string_view light, std::string_view night) { return dark ? night : light; };
  std::string css;
  const auto rule = [&](std::string_view selector, std::string_view property, std::string_view colour) {
    css += fmt::format(".fareline {}{{{}:{}}}\n", selector, property, colour);
  };
  rule(".paper", "fill", ink("#ffffff", "#0d1117"));
  rule("text", "fill", ink("#1f2328", "#e6edf3"));
  rule(".soft", "fill", ink("#59636e", "#9aa4af"));
  rule(".halo", "stroke", ink("#ffffff", "#0d1117"));
  rule(".frame", "stroke", ink("#59636e", "#9aa4af"));
  rule(".grid", "stroke", ink("#d5dae0", "#2f363f"));
  rule(".fine", "stroke", ink("#eceff2", "#1c222a"));
  rule(".marker", "stroke", ink("#1f2328", "#e6edf3"));
  rule(".void", "stroke", ink("#aab2bb", "#4a535d"));
  rule(".nothing", "fill", ink("#f3f4f6", "#161b22"));
  rule(".edge", "stroke", ink("#ffffff", "#0d1117"));
  rule(".ring", "stroke", ink("#ffffff", "#ffffff"));
  for (std::size_t k = 0; k < palette.size(); ++k) {
    rule(fmt::format(".s{}", k), "stroke", ink(palette[k].light, palette[k].dark));
    rule(fmt::format(".f{}", k), "fill", ink(palette[k].light, palette[k].dark));
  }
  return css;
}

std::string style_sheet() {
  return ".fareline text{font-family:system-ui,sans-serif;font-size:12px}\n"
         ".fareline .title{font-size:15px;font-weight:600}\n"
         ".fareline .small{font-size:11px}\n"
         ".fareline .strong{font-weight:600}\n"
         ".fareline .halo{stroke-width:3px;stroke-linejoin:round;paint-order:stroke}\n"
         ".fareline .frame,.fareline .grid,.fareline .fine,.fareline .void{fill:none;stroke-width:1px}\n"
         ".fareline .line{fill:none;stroke-width:2px;stroke-linejoin:round;stroke-linecap:round}\n"
         ".fareline .dashed{stroke-dasharray:9 5}\n"
         ".fareline .dotted{stroke-dasharray:1 5}\n"
         ".fareline .floor{fill:none;stroke-width:1.2px;stroke-dasharray:5 4}\n"
         ".fareline .guide{fill:none;stroke-width:1px;stroke-dasharray:2 3}\n"
         ".fareline .marker{stroke-width:1px;stroke-dasharray:6 3}\n"
         ".fareline .band{fill-opacity:.2}\n"
         ".fareline .solid{stroke-width:2px;stroke-dasharray:none}\n"
         ".fareline .shade{fill-opacity:.09}\n"
         ".fareline .strip{fill-opacity:.3}\n"
         ".fareline .open{fill-opacity:.75}\n"
         ".fareline .cell{shape-rendering:crispEdges}\n"
         ".fareline .edge{stroke-width:1px}\n"
         ".fareline .ring{fill:none;stroke-width:2px}\n"
         ".fareline .shadow{fill:none;stroke:#000;stroke-width:4px}\n"
         ".fareline .hollow{fill:none;stroke-width:2px}\n"
         ".fareline text.onlight{fill:#000}\n"
         ".fareline text.ondark{fill:#fff}\n" +
         rules(false) + "@media (prefers-color-scheme:dark){\n" + rules(true) +
         ".fareline .open{fill-opacity:.9}\n.fareline text.inbar{fill:#0d1117}\n"
         ".fareline text.onlight{fill:#000}\n.fareline text.ondark{fill:#fff}\n}\n";
}

std::uint64_t content_hash(std::string_view text) {  // FNV-1a, 64 bits
  std::uint64_t hash = 14695981039346656037ull;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  return hash;
}

// Returns the length of the well-formed UTF-8 character at the head of `text`, 0 where it is broken or XML forbids it.
std::size_t character_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char head = byte(0);
  if (head < 0x80) return head >= 0x20 || head == '\t' || head == '\n' || head == '\r' ? 1 : 0;
  const std::size_t length = head >= 0xC2 && head < 0xE0 ? 2 : head >= 0xE0 && head < 0xF0 ? 3 : head >= 0xF0 && head < 0xF5 ? 4 : 0;
  if (length == 0 || text.size() < length) return 0;
  std::uint32_t code = head & (0xFFu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
    code = code << 6 | (byte(i) & 0x3Fu);
  }
  const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
  const bool forbidden = (code >= 0xD800 && code < 0xE000) || code > 0x10FFFF || code == 0xFFFE || code == 0xFFFF;
  return overlong || forbidden ? 0 : length;
}

// The width of a character as a share of the type size; those of DejaVu Sans, the widest of the usual faces, rounded up by class.
double character_width(std::string_view character) {
  if (character.size() > 1) return character.size() > 2 ? 1.0 : 0.68;
  const char c = character[0];
  if (std::string_view("ijl.,:;'|! fItr()[]/-").contains(c)) return 0.41;
  if (std::string_view("mwMW%@").contains(c)) return 0.98;
  if (c >= 'A' && c <= 'Z') return 0.72;
  return 0.63;
}

std::string points_text(std::span<const Point> points) {
  std::string text;
  for (const Point& p : points) text += (text.empty() ? "" : " ") + coordinate(p.x) + "," + coordinate(p.y);
  return text;
}

std::string closing(std::string_view element, std::string_view note) {
  return note.empty() ? std::string("/>\n") : fmt::format("><title>{}</title></{}>\n", escaped(note), element);
}

}  // namespace

std::string stroke_class(int k) { return fmt::format("s{}", k % palette_size); }
std::string line_class(int k) {
  const int turn = k / palette_size % 3;
  return "line " + stroke_class(k) + (turn == 0 ? "" : turn == 1 ? " dashed" : " dotted");
}
std::string fill_class(int k) { return fmt::format("f{}", k % palette_size); }

std::vector<int> kind_colours(std::span<const std::string> wanted) {
  std::map<std::string_view, int> known;
  for (const auto& [name, colour] : kinds)
    if (std::ranges::count(wanted, name) > 0) known.emplace(name, colour);
  std::vector<int> free;
  for (int k = 0; k < palette_size; ++k)
    if (std::ranges::none_of(known, [&](const auto& taken) { return taken.second == k; })) free.push_back(k);
  if (free.empty()) free = {0, 1, 2, 3, 4, 5, 6};
  std::size_t next = 0;
  std::vector<int> colours;
  for (const std::string& kind : wanted) {
    const auto [found, fresh] = known.try_emplace(kind, 0);
    if (fresh) found->second = free[next++ % free.size()];
    colours.push_back(found->second);
  }
  return colours;
}

std::string escaped(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t length = character_length(text);
    if (length == 0) out += "\xEF\xBF\xBD";
    else if (text[0] == '&') out += "&amp;";
    else if (text[0] == '<') out += "&lt;";
    else if (text[0] == '>') out += "&gt;";
    else if (text[0] == '"') out += "&quot;";
    else out += text.substr(0, length);
    text.remove_prefix(std::max<std::size_t>(1, length));
  }
  return out;
}

std::string coordinate(double value) {
  FARELINE_CHECK(std::isfinite(value));
  std::string text = fmt::format("{:.2f}", value);
  return text == "-0.00" ? "0.00" : text;
}

double text_width(std::string_view text, double size) {
  double width = 0;
  while (!text.empty()) {
    const std::size_t length = std::max<std::size_t>(1, character_length(text));
    width += character_width(text.substr(0, length));
    text.remove_prefix(length);
  }
  return width * size;
}

std::string fitted(std::string_view text, double width, double size) {
  if (text_width(text, size) <= width + 1e-6) return std::string(text);
  std::string out;
  double used = size;
  while (!text.empty()) {
    const std::size_t length = std::max<std::size_t>(1, character_length(text));
    used += character_width(text.substr(0, length)) * size;
    if (used > width) break;
    out += text.substr(0, length);
    text.remove_prefix(length);
  }
  while (out.ends_with(' ')) out.pop_back();
  return out + "…";
}

std::vector<std::string> wrapped(std::string_view text, double width, double size) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t blank = std::min(text.find(' '), text.size());
    const std::string word(text.substr(0, blank));
    text.remove_prefix(std::min(blank + 1, text.size()));
    if (!lines.empty() && text_width(lines.back() + " " + word, size) <= width) lines.back() += " " + word;
    else lines.push_back(fitted(word, width, size));
  }
  return lines;
}

void Canvas::line(std::string_view style, Point a, Point b) {
  body_ += fmt::format("<line class=\"{}\" x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"/>\n", style, coordinate(a.x), coordinate(a.y),
                       coordinate(b.x), coordinate(b.y));
}

void Canvas::box(std::string_view style, Box box, double corner) {
  body_ += fmt::format("<rect class=\"{}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"{}/>\n", style, coordinate(box.x), coordinate(box.y),
                       coordinate(box.width), coordinate(box.height), corner > 0 ? fmt::format(" rx=\"{}\"", coordinate(corner)) : "");
}

void Canvas::box_with_note(std::string_view style, Box box, std::string_view note) {
  body_ += fmt::format("<rect class=\"{}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"{}", style, coordinate(box.x), coordinate(box.y),
                       coordinate(box.width), coordinate(box.height), closing("rect", note));
}

void Canvas::filled_box(std::string_view colour, Box box, std::string_view note) {
  body_ += fmt::format("<rect class=\"cell\" fill=\"{}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"{}", colour, coordinate(box.x),
                       coordinate(box.y), coordinate(box.width), coordinate(box.height), closing("rect", note));
}

void Canvas::polyline(std::string_view style, std::span<const Point> points) {
  if (points.empty()) return;
  body_ += fmt::format("<polyline class=\"{}\" points=\"{}\"/>\n", style, points_text(points));
}

void Canvas::polygon(std::string_view style, std::span<const Point> points) {
  if (points.empty()) return;
  body_ += fmt::format("<polygon class=\"{}\" points=\"{}\"/>\n", style, points_text(points));
}

void Canvas::mark(std::string_view style, int shape, Point at, double radius, std::string_view note) {
  const double r = radius, a = 0.88 * r;
  const auto shaped = [&](std::vector<Point> corners) {
    for (Point& p : corners) p = {at.x + p.x, at.y + p.y};
    body_ += fmt::format("<polygon class=\"mark {}\" points=\"{}\"{}", style, points_text(corners), closing("polygon", note));
  };
  switch (shape % 6) {
    case 0:
      body_ += fmt::format("<circle class=\"mark {}\" cx=\"{}\" cy=\"{}\" r=\"{}\"{}", style, coordinate(at.x), coordinate(at.y),
                           coordinate(r), closing("circle", note));
      break;
    case 1: shaped({{-a, -a}, {a, -a}, {a, a}, {-a, a}}); break;
    case 2: shaped({{0, -1.2 * r}, {1.1 * r, 0.8 * r}, {-1.1 * r, 0.8 * r}}); break;
    case 3: shaped({{0, -1.3 * r}, {1.3 * r, 0}, {0, 1.3 * r}, {-1.3 * r, 0}}); break;
    case 4: shaped({{0, 1.2 * r}, {1.1 * r, -0.8 * r}, {-1.1 * r, -0.8 * r}}); break;
    default: {
      const double t = 0.36 * r, l = 1.2 * r;
      shaped({{-t, -l}, {t, -l}, {t, -t}, {l, -t}, {l, t}, {t, t}, {t, l}, {-t, l}, {-t, t}, {-l, t}, {-l, -t}, {-t, -t}});
    }
  }
}

void Canvas::text(std::string_view style, Point at, std::string_view text, Anchor anchor) {
  const std::string_view side = anchor == Anchor::start ? "start" : anchor == Anchor::middle ? "middle" : "end";
  body_ += fmt::format("<text class=\"{}\" x=\"{}\" y=\"{}\" text-anchor=\"{}\">{}</text>\n", style, coordinate(at.x), coordinate(at.y),
                       side, escaped(text));
}

void Canvas::text_upwards(std::string_view style, Point at, std::string_view text) {
  body_ += fmt::format("<text class=\"{}\" transform=\"translate({} {}) rotate(-90)\" text-anchor=\"middle\">{}</text>\n", style,
                       coordinate(at.x), coordinate(at.y), escaped(text));
}

void Canvas::hatch(std::string_view style, Box box) {
  // Lines x + y = c, cut to the box: from its bottom or left edge to its right or top edge.
  constexpr double gap = 7;
  const double first = std::ceil((box.x + box.y) / gap) * gap;
  for (double c = first; c < box.right() + box.bottom(); c += gap) {
    const Point low{std::max(box.x, c - box.bottom()), std::min(box.bottom(), c - box.x)};
    const Point high{std::min(box.right(), c - box.y), std::max(box.y, c - box.right())};
    line(style, low, high);
  }
}

void Canvas::begin_clip(Box box) {
  const std::string x = coordinate(box.x), y = coordinate(box.y), w = coordinate(box.width), h = coordinate(box.height);
  body_ += fmt::format("<svg class=\"clip\" x=\"{0}\" y=\"{1}\" width=\"{2}\" height=\"{3}\" viewBox=\"{0} {1} {2} {3}\">\n", x, y, w, h);
}
void Canvas::end_clip() { body_ += "</svg>\n"; }

void Canvas::begin_group(std::string_view style, std::string_view name) {
  body_ += fmt::format("<g class=\"{}\">\n", style);
  if (!name.empty()) body_ += fmt::format("<title>{}</title>\n", escaped(name));
}
void Canvas::end_group() { body_ += "</g>\n"; }

void Canvas::append(Point offset, const Figure& figure) {
  body_ += fmt::format("<g role=\"group\" transform=\"translate({} {})\">\n", coordinate(offset.x), coordinate(offset.y));
  if (!figure.title.empty()) body_ += fmt::format("<title>{}</title>\n", escaped(figure.title));
  body_ += figure.body + "</g>\n";
}

std::string document(const Figure& figure) {
  const std::string width = coordinate(figure.width), height = coordinate(figure.height);
  const std::string id = fmt::format("fareline-{:016x}", content_hash(figure.title + "\n" + figure.description + "\n" + figure.body));
  return fmt::format("<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"fareline\" role=\"img\" aria-labelledby=\"{0}-title {0}-desc\" "
                     "width=\"{1}\" height=\"{2}\" viewBox=\"0 0 {1} {2}\">\n"
                     "<title id=\"{0}-title\">{3}</title>\n<desc id=\"{0}-desc\">{4}</desc>\n<style>\n{5}</style>\n"
                     "<rect class=\"paper\" x=\"0.00\" y=\"0.00\" width=\"{1}\" height=\"{2}\"/>\n{6}</svg>\n",
                     id, width, height, escaped(figure.title), escaped(figure.description), style_sheet(), figure.body);
}

}  // namespace fareline::plot
