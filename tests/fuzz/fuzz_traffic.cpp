// SPDX-License-Identifier: Apache-2.0
// Any bytes as a trace, plain or gzipped, in pieces of any size: requests in order with lengths that are none below zero, or one error
// with place, fault and remedy. The same bytes as laws of arrivals and lengths.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sim/traffic_arrivals.h"
#include "sim/traffic_lengths.h"
#include "sim/traffic_trace.h"
#include "truth/gzip_bytes.h"

namespace {

using namespace fareline;

void check(const Error* error) {
  FARELINE_CHECK(!error || (!error->where.empty() && !error->what.empty() && !error->remedy.empty()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t piece = data[0] == 0 ? std::string_view::npos : data[0];
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  auto trace = TraceTraffic::open("trace", inflated(std::make_unique<TextBytes>(bytes, piece)));
  if (trace) {
    Seconds last{};
    while (const auto request = (*trace)->next()) {
      FARELINE_CHECK(request->prompt >= 0 && request->output >= 0 && request->arrival >= last);
      last = request->arrival;
    }
    check((*trace)->failed());
  } else {
    check(&trace.error());
  }
  if (const auto lengths = read_lengths("lengths", inflated(std::make_unique<TextBytes>(bytes, piece))); !lengths) check(&lengths.error());
  if (const auto law = read_arrival_law(bytes)) {
    Arrivals arrivals(*law, 1 / unit::s, data[0]);
    Seconds last{};
    for (int i = 0; i < 20; ++i) {
      const Seconds now = arrivals.next();
      FARELINE_CHECK(now >= last);
      last = now;
    }
  }
  if (const auto law = read_length_law(bytes); law && law->kind != LengthLaw::Kind::drawn) {
    Draws draws(data[0], Purpose::prompt, 0);
    FARELINE_CHECK(law->draw(draws) >= 0);
  }
  return 0;
}
