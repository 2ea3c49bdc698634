// SPDX-License-Identifier: Apache-2.0
// Jobs over all cores.
#pragma once

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "units/workers.h"

namespace fareline::cli {

class Threads : public Workers {
 public:
  // `at_most` jobs at once; 0: as many as the machine has cores.
  explicit Threads(int at_most = 0) : at_most_(at_most) {}

  void run(std::size_t jobs, const std::function<void(std::size_t)>& job) override {
    const std::size_t cores = std::max(1U, std::thread::hardware_concurrency());
    const std::size_t threads = std::min(at_most_ > 0 ? static_cast<std::size_t>(at_most_) : cores, jobs);
    std::atomic<std::size_t> next = 0;
    const auto work = [&] {
      for (std::size_t i = next++; i < jobs; i = next++) job(i);
    };
    std::vector<std::jthread> others;
    for (std::size_t i = 1; i < threads; ++i) others.emplace_back(work);
    work();
  }

 private:
  int at_most_;
};

}  // namespace fareline::cli
