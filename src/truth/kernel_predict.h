// SPDX-License-Identifier: Apache-2.0
// A measured kernel as operators of perf: what it is asked to do, and how long that takes by a calibration.
#pragma once

#include <expected>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "catalog/catalog.h"
#include "perf/kernel.h"
#include "perf/operators.h"
#include "truth/kernel_rows.h"

namespace fareline {

// One operator of a timing, at work.
struct KernelPart {
  Kernel kernel{};
  Format kept{}, rate{};
  OperatorKind kind{};
  KernelWork work;
  int ranks = 1;                 // of an exchange
};

// What a timing is of, apart from what any calibration achieves (but for the tiles it states).
struct KernelTask {
  std::vector<KernelPart> parts; // run one after the other
  Seconds floor;                 // the bound of physics: links, bytes of weights and KV, FLOP, each at its peak
};

// Reads what names of chips, systems and models stand for, each once.
class KernelTasks {
 public:
  explicit KernelTasks(const Catalogue& catalogue) : catalogue_(catalogue) {}
  // The system a timing ran on: the catalogue's, or its chip alone. Errors, in words shared by their like: not in the catalogue.
  std::expected<const System*, std::string> system(const KernelSetup& setup);
  // Errors, in words shared by their like: its chip or model is unknown, it counts nothing, the chip lacks the format.
  // Assumes: routing as aiconfigurator's collectors draw it (balanced, or loads from a power law), the slowest rank timed.
  std::expected<KernelTask, std::string> task(const KernelSetup& setup, const Calibration& calibration);

 private:
  const Catalogue& catalogue_;
  std::map<std::string, std::expected<System, std::string>> systems_;  // pointers into it are handed out
  std::map<std::string, Model> models_;
};

// Returns the entry of a calibration whose evidence a timing is: of its first operator, of a mixer whole the indexer's.
std::pair<Kernel, Format> entry_of(const KernelSetup& setup, const KernelTask& task);

// Returns the time of a part on `system` at an efficiency.
Seconds part_time(const KernelPart& part, const System& system, const Efficiency& efficiency);

// Returns the time of all parts by a calibration, launched back to back, no engine around them.
Seconds task_time(const KernelTask& task, const System& system, const Calibration& calibration);

// Returns the tokens that fall on the experts of the slowest of `ranks` ranks when each expert's load is drawn from a power law, x^-a
// between 1 and 0.8 T (0.01 and 2 where there are fewer choices than experts), scaled to the sum and rounded.
// Source: ai-dynamo/aiconfigurator, collector/ (power_law_logits_v3). Assumes: experts fall on ranks at random; five drawings' mean.
Routing drawn_routing(double tokens, double experts, double active, int ranks, double exponent, double tile);

}  // namespace fareline
