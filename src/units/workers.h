// SPDX-License-Identifier: Apache-2.0
// Jobs that may run beside each other. Below the apps nothing starts a thread: a caller that has some hands them in.
#pragma once

#include <cstddef>
#include <functional>

namespace fareline {

// Runs jobs 0 to `jobs` - 1 in any order; all have run when run() returns. This one runs them one after the other.
class Workers {
 public:
  Workers() = default;
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;
  virtual ~Workers() = default;
  virtual void run(std::size_t jobs, const std::function<void(std::size_t)>& job) {
    for (std::size_t i = 0; i < jobs; ++i) job(i);
  }
};

}  // namespace fareline
