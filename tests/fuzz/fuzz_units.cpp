// SPDX-License-Identifier: Apache-2.0
// Any bytes as a quantity, a count and a name: a finite value or an error of one short line; what is written is read back.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "units/error.h"
#include "units/text.h"

using namespace fareline;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void check_line(const Error& error) {
  const std::string line = error.line();
  require(!error.what.empty() && !error.remedy.empty());
  require(line.size() < 1000 && line.find('\n') == std::string::npos);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  for (const Dim dim :
       {Bytes::dim, Bandwidth::dim, FlopRate::dim, Seconds::dim, TokenPrice::dim, StoragePrice::dim, Frequency::dim, Dim{}}) {
    const Expected<double> value = parse_quantity(text, dim);
    if (!value) {
      check_line(value.error());
      continue;
    }
    require(std::isfinite(*value));
    std::string written = to_text(*value, dim, 17);
    std::erase(written, ',');  // thousands
    const Expected<double> back = parse_quantity(written, dim);
    if (std::fabs(*value) < 1e-290 || std::fabs(*value) > 1e290) continue;  // the written unit's factor may leave the range
    require(back.has_value() && std::fabs(*back - *value) <= std::fabs(*value) * 1e-14);
  }
  if (const auto count = parse_count(text)) require(*count >= 0 && *count <= (std::int64_t{1} << 53));
  else check_line(count.error());
  const std::vector<std::string> known{"h100-sxm", "gb200-nvl72", "\xC2\xB5"};
  require(nearest_names(text, known).size() < 100);
  require(in_quotes(text).size() <= 4 * 60 + 5);
  return 0;
}
