// SPDX-License-Identifier: Apache-2.0
// Any bytes as a chip, a system or a calibration: read, or refused with place, fault and remedy; a calibration that is read is
// the same after it is written and read again.
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "catalog/calibration.h"
#include "catalog/chip.h"

namespace {

using namespace fareline;

template <class T>
void check(const Expected<T>& read) {
  FARELINE_CHECK(read.has_value() || (!read.error().where.empty() && !read.error().what.empty() && !read.error().remedy.empty()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 3 == 0) {
    check(read_chip("fuzz.json", text));
  } else if (data[0] % 3 == 1) {
    std::array<Chip, 1> chips;
    chips[0].name = "h100-sxm";
    check(read_system("fuzz.json", text, chips));
  } else {
    const auto read = read_calibration("fuzz.json", text);
    check(read);
    if (!read) return 0;
    const auto again = read_calibration("fuzz.json", write_calibration(*read));
    FARELINE_CHECK(again.has_value());
    FARELINE_CHECK(again->kernels == read->kernels && again->engine == read->engine);
  }
  return 0;
}
