// SPDX-License-Identifier: Apache-2.0
// What happens next: events by (time, sequence number), so that equal times are told apart the same way on every machine.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "sim/archive.h"
#include "units/quantity.h"

namespace fareline {

enum class EventKind : unsigned char { loaded, failure, outage, recovery, scaling, started };

struct Event {
  Seconds at;
  std::uint64_t sequence = 0, version = 0;
  std::int32_t who = 0;                 // a sequence, a replica, an outage
  EventKind kind{};
  friend bool operator<(const Event& a, const Event& b) { return a.at == b.at ? a.sequence > b.sequence : a.at > b.at; }
};

class EventHeap {
 public:
  bool empty() const { return heap_.empty(); }
  const Event& top() const { return heap_.front(); }
  void push(const Event& event) {
    heap_.push_back(event);
    std::push_heap(heap_.begin(), heap_.end());
  }
  Event pop() {
    std::pop_heap(heap_.begin(), heap_.end());
    const Event event = heap_.back();
    heap_.pop_back();
    return event;
  }
  void archive(Archive& archive) { archive(heap_); }

 private:
  std::vector<Event> heap_;
};

// At most one event a lane, which can be moved: the end of its run, or its departure. An indexed binary heap.
class LaneEvents {
 public:
  explicit LaneEvents(std::size_t lanes = 0) : events_(lanes), place_(lanes, -1) {}
  bool empty() const { return heap_.empty(); }
  std::int32_t top() const { return heap_.front(); }
  Seconds at(std::int32_t lane) const { return events_[static_cast<std::size_t>(lane)].at; }
  std::uint64_t sequence(std::int32_t lane) const { return events_[static_cast<std::size_t>(lane)].sequence; }
  bool has(std::int32_t lane) const { return place_[static_cast<std::size_t>(lane)] >= 0; }

  void set(std::int32_t lane, Seconds at, std::uint64_t sequence) {
    events_[static_cast<std::size_t>(lane)] = {at, sequence};
    std::int32_t& place = place_[static_cast<std::size_t>(lane)];
    if (place < 0) {
      place = static_cast<std::int32_t>(heap_.size());
      heap_.push_back(lane);
    }
    down(up(static_cast<std::size_t>(place)));
  }
  void clear(std::int32_t lane) {
    const std::int32_t place = place_[static_cast<std::size_t>(lane)];
    if (place < 0) return;
    place_[static_cast<std::size_t>(lane)] = -1;
    const std::int32_t moved = heap_.back();
    heap_.pop_back();
    if (moved == lane) return;
    put(static_cast<std::size_t>(place), moved);
    down(up(static_cast<std::size_t>(place)));
  }
  void archive(Archive& archive) { archive(events_, place_, heap_); }

 private:
  struct Entry {
    Seconds at;
    std::uint64_t sequence = 0;
  };
  bool before(std::int32_t a, std::int32_t b) const {
    const Entry &x = events_[static_cast<std::size_t>(a)], &y = events_[static_cast<std::size_t>(b)];
    return x.at == y.at ? x.sequence < y.sequence : x.at < y.at;
  }
  void put(std::size_t place, std::int32_t lane) {
    heap_[place] = lane;
    place_[static_cast<std::size_t>(lane)] = static_cast<std::int32_t>(place);
  }
  std::size_t up(std::size_t place) {
    const std::int32_t lane = heap_[place];
    while (place > 0 && before(lane, heap_[(place - 1) / 2])) {
      put(place, heap_[(place - 1) / 2]);
      place = (place - 1) / 2;
    }
    put(place, lane);
    return place;
  }
  void down(std::size_t place) {
    const std::int32_t lane = heap_[place];
    for (;;) {
      std::size_t child = 2 * place + 1;
      if (child >= heap_.size()) break;
      if (child + 1 < heap_.size() && before(heap_[child + 1], heap_[child])) ++child;
      if (!before(heap_[child], lane)) break;
      put(place, heap_[child]);
      place = child;
    }
    put(place, lane);
  }
  std::vector<Entry> events_;
  std::vector<std::int32_t> place_, heap_;
};

}  // namespace fareline
