// SPDX-License-Identifier: Apache-2.0
// A map from 64-bit keys to small integers in one array: what the engine looks up once or more a request.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/traffic_random.h"

namespace fareline {

// Open addressing with linear probing; a deletion closes its gap, so that no tombstones gather.
// Source: Knuth, The Art of Computer Programming, vol. 3, section 6.4, algorithms L and R.
class FlatMap {
 public:
  static constexpr std::int32_t none = -1;

  std::int32_t find(std::uint64_t key) const {
    if (slots_.empty()) return none;
    for (std::size_t i = home(key);; i = (i + 1) & mask_) {
      if (slots_[i].value == none) return none;
      if (slots_[i].key == key) return slots_[i].value;
    }
  }
  // Assumes: the key is not there; value >= 0.
  void insert(std::uint64_t key, std::int32_t value) {
    if (2 * (size_ + 1) > slots_.size()) grow();
    std::size_t i = home(key);
    while (slots_[i].value != none) i = (i + 1) & mask_;
    slots_[i] = {key, value};
    ++size_;
  }
  void erase(std::uint64_t key) {
    if (slots_.empty()) return;
    std::size_t hole = home(key);
    while (slots_[hole].key != key || slots_[hole].value == none) {
      if (slots_[hole].value == none) return;
      hole = (hole + 1) & mask_;
    }
    for (std::size_t i = (hole + 1) & mask_; slots_[i].value != none; i = (i + 1) & mask_) {
      const std::size_t wanted = home(slots_[i].key);
      if (((i - wanted) & mask_) >= ((i - hole) & mask_)) {
        slots_[hole] = slots_[i];
        hole = i;
      }
    }
    slots_[hole].value = none;
    --size_;
  }
  std::size_t size() const { return size_; }
  void clear() { slots_.clear(), size_ = mask_ = 0; }

 private:
  struct Slot {
    std::uint64_t key = 0;
    std::int32_t value = none;
  };
  std::size_t home(std::uint64_t key) const { return static_cast<std::size_t>(scrambled(key)) & mask_; }
  void grow() {
    std::vector<Slot> old = std::move(slots_);
    slots_.assign(old.empty() ? 16 : 2 * old.size(), Slot{});
    mask_ = slots_.size() - 1;
    size_ = 0;
    for (const Slot& slot : old)
      if (slot.value != none) insert(slot.key, slot.value);
  }
  std::vector<Slot> slots_;
  std::size_t size_ = 0, mask_ = 0;
};

}  // namespace fareline
