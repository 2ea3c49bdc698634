// SPDX-License-Identifier: Apache-2.0
// A small writer of SVG text, the same to the byte on every machine: two decimals a coordinate, no assets, no fonts. Colours
// are classes whose meaning the style sheet gives, once for light and once for dark.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "units/error.h"

namespace fareline::plot {

struct Point {
  double x = 0, y = 0;  // pixels, from the top left
};
struct Box {
  double x = 0, y = 0, width = 0, height = 0;
  double right() const { return x + width; }
  double bottom() const { return y + height; }
};

// A drawn picture, before it becomes a document: pictures are set side by side or one above the other (grid.h).
struct Figure {
  double width = 0, height = 0;
  std::string title, description;  // what a screen reader says
  std::string body;                // SVG elements
};

// Returns the SVG document of a picture: title, description, style sheet, paper, body. The ids in it follow from its content,
// so that several documents can stand in one page.
std::string document(const Figure& figure);

// Returns `text` with the characters that XML reserves replaced, and those that XML 1.0 forbids (and broken UTF-8) as U+FFFD.
std::string escaped(std::string_view text);
// Returns a coordinate with two decimals; "-0.00" is written "0.00".
std::string coordinate(double value);
// Returns about how wide `text` is in a sans-serif face of `size` pixels, on the generous side, in pixels.
double text_width(std::string_view text, double size = 12);
// Returns `text` cut at a character boundary with an ellipsis so that it is at most `width` pixels wide.
std::string fitted(std::string_view text, double width, double size = 12);
// Returns `text` broken at blanks into lines of at most `width` pixels.
std::vector<std::string> wrapped(std::string_view text, double width, double size = 12);

enum class Anchor { start, middle, end };

// Collects elements. `style` is one or more classes of the style sheet, separated by blanks.
class Canvas {
 public:
  void line(std::string_view style, Point a, Point b);
  void box(std::string_view style, Box box, double corner = 0);
  // A box with a hover text.
  void box_with_note(std::string_view style, Box box, std::string_view note);
  void filled_box(std::string_view colour, Box box, std::string_view note = {});  // a computed colour, "#1f9e89"
  void polyline(std::string_view style, std::span<const Point> points);
  void polygon(std::string_view style, std::span<const Point> points);
  // Shape k of six that can be told apart without colour: circle, square, triangle, diamond, triangle down, cross.
  void mark(std::string_view style, int shape, Point at, double radius, std::string_view note = {});
  void text(std::string_view style, Point at, std::string_view text, Anchor anchor = Anchor::start);
  void text_upwards(std::string_view style, Point at, std::string_view text);  // turned left by 90 degrees, centred
  // Diagonal lines over the box: "does not fit", told without colour.
  void hatch(std::string_view style, Box box);
  // What is drawn until `end_clip` is cut off at the box.
  void begin_clip(Box box);
  void end_clip();
  void begin_group(std::string_view style, std::string_view name = {});
  void end_group();
  void append(Point offset, const Figure& figure);
  std::string take() { return std::move(body_); }

 private:
  std::string body_;
};

// The classes of categorical colour k: for strokes "s0".."s6", for fills "f0".."f6"; k counts round.
// Source: M. Okabe, K. Ito, Color Universal Design (2008), the palette for colour-blind readers; its yellow and black, which
// do not show on white and on black paper, are left out; a grey is added.
inline constexpr int palette_size = 7;
std::string stroke_class(int k);
// The classes of line k: its colour, and dashes once the colours are used up.
std::string line_class(int k);
std::string fill_class(int k);

// Returns the colour of each kind, in order. What binds has the same colour in every picture: weights, flops, kv, collectives,
// launches, capacity; other kinds take the colours left, in the order in which they first come.
std::vector<int> kind_colours(std::span<const std::string> kinds);

}  // namespace fareline::plot
