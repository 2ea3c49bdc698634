// SPDX-License-Identifier: Apache-2.0
// Any bytes as a table of measurements: read, or refused with place, fault and remedy; every cell of a record that is read can be
// asked for, and rows that are understood have a setup or a refusal.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "truth/kernel_predict.h"
#include "truth/kernel_rows.h"
#include "truth/serving_rows.h"
#include "truth/table.h"

namespace {

using namespace fareline;

template <class T>
void check(const Expected<T>& read) {
  FARELINE_CHECK(read.has_value() || (!read.error().where.empty() && !read.error().what.empty() && !read.error().remedy.empty()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  auto table = TableReader::open("fuzz.csv", bytes);
  check(table);
  if (table) {
    for (;;) {
      const auto more = table->next();
      check(more);
      if (!more || !*more) break;
      for (std::size_t i = 0; i < table->columns().size(); ++i) check(table->number(i));
    }
  }
  const auto rows = read_serving_rows("fuzz.csv", bytes);
  check(rows);
  if (rows)
    for (const ServingRow& row : *rows) FARELINE_CHECK(!row.refusal.empty() || !row.setup.model.empty());
  const auto timings = read_kernel_timings("fuzz.csv", bytes);
  check(timings);
  if (timings) {
    const Calibration calibration = *Catalogue::built_in().calibration("default");
    KernelTasks tasks(Catalogue::built_in());
    for (const KernelTiming& t : *timings) {
      if (!t.refusal.empty()) continue;
      const auto system = tasks.system(t.setup);
      const auto task = tasks.task(t.setup, calibration);
      if (task) FARELINE_CHECK(task_time(*task, **system, calibration) >= Seconds{});
    }
  }
  return 0;
}
