// SPDX-License-Identifier: Apache-2.0
// What a module of measurements is asked, and how it hands over what it finds. Modules are opened when measuring is asked for: no
// other command waits for their libraries to load. Plain C across the border, so that a module may be of another language standard.
#pragma once

namespace fareline::cli {

// One kernel timed. Counts that a kernel does not have are 0; texts live as long as the call.
struct ProbeRow {
  const char *kernel = "", *format = "", *stack = "", *source = "";
  int threads = 0;              // of a CPU
  double m = 0, n = 0, k = 0;   // a product of m rows
  double batch = 0, heads = 0, kv_heads = 0, head_dim = 0, tokens = 0, context = 0;  // attention
  double bytes = -1;            // read and written, of an elementwise kernel; 0: an empty launch
  double flop = 0;              // for the summary
  double seconds = 0, fastest = 0, slowest = 0;  // of one run: median, least, most
  int repeats = 0;
};

// What the machine says of itself.
struct ProbeDevice {
  char title[128] = "", vendor[32] = "", family[32] = "";  // family: of the catalogue
  int cores = 0;
  double memory_bytes = 0, usable_bytes = 0;
};

struct ProbeAsk {
  bool quick = false;
  void* context = nullptr;
  void (*row)(void* context, const ProbeRow&) = nullptr;
  void (*progress)(void* context, const char* what, double done) = nullptr;  // done: 0 to 1
  void (*note)(void* context, const char* what) = nullptr;                   // what could not be measured, and why
  bool (*stopped)(void* context) = nullptr;
};

// Returns 0; otherwise nothing was measured and the note says why. Its name in a module: fareline_probe.
using ProbeEntry = int (*)(const ProbeAsk*, ProbeDevice*);

}  // namespace fareline::cli
