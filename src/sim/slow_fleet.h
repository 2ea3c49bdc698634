// SPDX-License-Identifier: Apache-2.0
// The slow reference of the simulator: one pool, every step of every replica, each sequence looked at in each, every step's time
// asked of the plan. Nothing is shared with src/sim but the words of fleet.h and the random draw of accepted drafts.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <vector>

#include "sim/fleet.h"
#include "sim/traffic_random.h"

namespace fareline::test {

// Requests from a list; keeps who was answered.
class ListTraffic : public Traffic {
 public:
  explicit ListTraffic(std::vector<Request> requests) : requests_(std::move(requests)) {}
  std::optional<Request> next() override { return at_ < requests_.size() ? std::optional(requests_[at_++]) : std::nullopt; }
  std::optional<std::string> save() const override { return std::to_string(at_); }
  bool restore(std::string_view bytes) override { return at_ = static_cast<std::size_t>(std::stoul(std::string(bytes))), true; }

 private:
  std::vector<Request> requests_;
  std::size_t at_ = 0;
};

class Recorder : public Observer {
 public:
  std::vector<Finished> stories;
  std::vector<StepRun> runs;
  std::vector<ReplicaState> states;
  bool all = false;
  void finished(const Finished& f) override { stories.push_back(f); }
  void stepped(const StepRun& r) override { runs.push_back(r); }
  void changed(const ReplicaState& s) override { states.push_back(s); }
  bool wants_states() const override { return all; }
  bool wants_steps() const override { return all; }
};

inline std::map<std::uint64_t, Finished> by_id(const std::vector<Finished>& stories) {
  std::map<std::uint64_t, Finished> found;
  for (const Finished& f : stories) found[f.id] = f;
  return found;
}

class SlowFleet {
 public:
  SlowFleet(const Fleet& fleet, std::vector<Request> requests) : fleet_(fleet), pool_(fleet.pools[0]), plan_(pool_.plan->plan()) {
    for (const Request& r : requests) jobs_.push_back({.request = r});
    servers_.resize(static_cast<std::size_t>(pool_.replicas));
    for (Server& s : servers_) s.lanes.resize(static_cast<std::size_t>(plan_.pp));
    most_ = std::min<int>(pool_.sequences_most, plan_.token_budget / (1 + draft()) * plan_.dp * plan_.pp);
  }

  std::vector<Finished> run() {
    const double overhead = pool_.plan->engine().prompt.coherent();
    std::size_t next = 0;
    for (;;) {
      double when = next < jobs_.size() ? jobs_[next].request.arrival.coherent() + overhead : never;
      for (const Server& s : servers_)
        for (const Lane& l : s.lanes) when = std::min(when, l.event);
      for (const Job& j : jobs_)
        if (j.state == State::loading) when = std::min(when, j.ready);
      if (when == never) break;
      now_ = when;
      // All that ends now, in the order in which it was begun; then who arrives; then the steps that leave.
      for (;;) {
        Lane* first = nullptr;
        Server* server = nullptr;
        for (Server& s : servers_)
          for (Lane& l : s.lanes)
            if (l.event <= now_ && (!first || l.sequence < first->sequence)) first = &l, server = &s;
        if (!first) break;
        const bool stepped = first->stepping;
        end(*server, *first);
        const auto name = static_cast<int>(server - servers_.data());
        if (stepped) mark(name);
        else mark(name, static_cast<int>(first - server->lanes.data()));
      }
      for (Job& j : jobs_)
        if (j.state == State::loading && j.ready <= now_) {
          j.state = State::joining;
          j.admitted = ++admissions_;
          Server& s = servers_[static_cast<std::size_t>(j.server)];
          int least = 0;
          for (int i = 1; i < static_cast<int>(s.lanes.size()); ++i)
            if (members(j.server, i) < members(j.server, least)) least = i;
          j.lane = least;
          mark(j.server);
        }
      while (next < jobs_.size() && jobs_[next].request.arrival.coherent() + overhead <= now_) arrive(next++);
      for (std::size_t i = 0; i < marked_.size(); ++i)
        if (leave(marked_[i].first, marked_[i].second)) marked_.push_back(marked_[i]);
      marked_.clear();
    }
    return stories_;
  }

 private:
  static constexpr double never = std::numeric_limits<double>::infinity();
  enum class State { unborn, waiting, loading, joining, prefilling, decoding, done };
  struct Job {
    Request request;
    State state = State::unborn;
    std::int64_t generated = 0, kept = 0, pages = 0;
    double start = -1, first = 0, ready = 0;
    int server = -1, lane = -1, preemptions = 0;
    std::uint64_t admitted = 0;   // order of admission
    bool swapped = false;
    std::int64_t wanted() const { return request.prompt + generated; }
  };
  struct Lane {
    double event = never;         // end of a step, or a departure
    std::uint64_t sequence = 0;
    bool stepping = false;
    std::vector<std::pair<std::size_t, std::int64_t>> chunks;
    std::vector<std::size_t> decoding;  // in the step under way
  };
  struct Server {
    std::vector<Lane> lanes;
    std::vector<std::size_t> queue;
    double entrance = 0, host = 0;
  };

  // Lanes that may leave next, in the order in which something happened to them.
  void mark(int server, int lane) {
    if (!servers_[static_cast<std::size_t>(server)].lanes[static_cast<std::size_t>(lane)].stepping &&
        std::find(marked_.begin(), marked_.end(), std::pair(server, lane)) == marked_.end())
      marked_.emplace_back(server, lane);
  }
  void mark(int server) {
    for (int i = 0; i < plan_.pp; ++i) mark(server, i);
  }

  int draft() const { return fleet_.drafting.draft(); }
  std::int64_t pages(std::int64_t tokens) const { return pool_.sequence_pages + (tokens + plan_.page_tokens - 1) / plan_.page_tokens; }
  std::int64_t used(int server) const {
    std::int64_t sum = 0;
    for (const Job& j : jobs_)
      if (j.server == server) sum += j.pages;
    return sum;
  }
  std::int64_t members(int server, int lane) const {
    return std::count_if(jobs_.begin(), jobs_.end(), [&](const Job& j) {
      return j.server == server && j.lane == lane &&
             (j.state == State::joining || j.state == State::prefilling || j.state == State::decoding);
    });
  }
  // Of one lane, by admission.
  std::vector<std::size_t> in_lane(int server, int lane, State state) const {
    std::vector<std::size_t> found;
    for (std::size_t i = 0; i < jobs_.size(); ++i)
      if (jobs_[i].server == server && jobs_[i].lane == lane && jobs_[i].state == state) found.push_back(i);
    std::sort(found.begin(), found.end(), [&](std::size_t a, std::size_t b) { return jobs_[a].admitted < jobs_[b].admitted; });
    return found;
  }

  void arrive(std::size_t i) {
    Job& j = jobs_[i];
    if (pages(j.request.prompt + j.request.output + draft()) > pool_.pages) {
      j.state = State::done;
      return tell(j, Outcome::too_long);
    }
    if (fleet_.router == Router::round_robin) {
      j.server = turn_++ % pool_.replicas;
    } else {
      std::vector<std::int64_t> load(servers_.size());
      for (const Job& other : jobs_)
        if (other.server >= 0 && other.state != State::done) ++load[static_cast<std::size_t>(other.server)];
      j.server = static_cast<int>(std::min_element(load.begin(), load.end()) - load.begin());
    }
    j.state = State::waiting;
    servers_[static_cast<std::size_t>(j.server)].queue.push_back(i);
    mark(j.server);
  }

  // The waiting request that comes first, as a place in the queue.
  std::size_t head(const Server& s) const {
    std::size_t best = 0;
    const auto rank = [&](std::size_t place) {
      const Request& r = jobs_[s.queue[place]].request;
      return fleet_.order == Order::priority ? -static_cast<std::int64_t>(r.priority) : fleet_.order == Order::shortest ? r.prompt : 0;
    };
    if (fleet_.order == Order::arrival) return 0;
    for (std::size_t place = 1; place < s.queue.size(); ++place)
      if (rank(place) < rank(best) || (rank(place) == rank(best) && s.queue[place] < s.queue[best])) best = place;
    return best;
  }

  double depart(double at) const {
    const double period = fleet_.period.coherent();
    double k = std::ceil(at / period);
    while (k * period < at) k += 1;
    while ((k - 1) * period >= at) k -= 1;
    return k * period;
  }

  void preempt(int server, std::size_t i) {
    Job& j = jobs_[i];
    Server& s = servers_[static_cast<std::size_t>(server)];
    ++j.preemptions;
    if (j.state == State::decoding && fleet_.preemption == Preemption::swap) {
      s.host = std::max(s.host, now_) + (static_cast<double>(pages(j.kept)) * pool_.page / fleet_.host_bandwidth).coherent();
      j.swapped = true;
    } else {
      j.kept = 0;
    }
    j.pages = 0;
    j.state = State::waiting;
    j.lane = -1;
    s.queue.insert(s.queue.begin(), i);
  }

  // Sends off the next step of an idle lane; true where it should be asked again.
  bool leave(int server, int lane) {
    Server& s = servers_[static_cast<std::size_t>(server)];
    Lane& l = s.lanes[static_cast<std::size_t>(lane)];
    if (l.stepping || l.event < never) return false;
    if (members(server, lane) == 0 && s.queue.empty()) return false;
    double at = s.lanes.size() > 1 ? std::max(now_, s.entrance) : now_;
    if (fleet_.batching == Batching::train) at = depart(at);
    if (at > now_) {
      l.event = at;
      l.sequence = ++sequences_;
      return false;
    }
    for (const std::size_t i : in_lane(server, lane, State::joining)) {
      Job& j = jobs_[i];
      j.admitted = ++admissions_;
      j.state = j.generated > 0 && j.kept == j.wanted() - 1 ? State::decoding : State::prefilling;
    }
    bool preempted = false;
    std::vector<std::size_t> decoding = in_lane(server, lane, State::decoding);
    const auto missing = [&] {
      std::int64_t sum = 0;
      for (const std::size_t i : decoding) sum += std::max<std::int64_t>(0, pages(jobs_[i].kept + 1 + draft()) - jobs_[i].pages);
      return sum;
    };
    const auto grow = [&] {
      while (!decoding.empty() && used(server) + missing() > pool_.pages) {
        std::vector<std::size_t> all = in_lane(server, lane, State::decoding);
        for (const std::size_t i : in_lane(server, lane, State::prefilling)) all.push_back(i);
        std::sort(all.begin(), all.end(), [&](std::size_t a, std::size_t b) { return jobs_[a].admitted < jobs_[b].admitted; });
        std::size_t victim = all.back();
        if (fleet_.order == Order::priority)
          for (std::size_t k = all.size(); k-- > 0;)
            if (jobs_[all[k]].request.priority < jobs_[victim].request.priority) victim = all[k];
        preempt(server, victim);
        preempted = true;
        decoding = in_lane(server, lane, State::decoding);
      }
      for (const std::size_t i : decoding) jobs_[i].pages = std::max(jobs_[i].pages, pages(jobs_[i].kept + 1 + draft()));
    };
    const bool alone = fleet_.batching == Batching::prefill_first;
    if (!alone) grow();
    const std::int64_t beside = alone ? 0 : static_cast<std::int64_t>(decoding.size());
    const std::int64_t each = std::max<std::int64_t>(0, plan_.token_budget - (beside + plan_.dp - 1) / plan_.dp * (1 + draft()));
    std::int64_t room = each * plan_.dp;
    l.chunks.clear();
    const auto chunk = [&](std::size_t i) {
      Job& j = jobs_[i];
      const std::int64_t tokens = std::min({j.wanted() - j.kept, each, room});
      if (tokens <= 0) return;
      if (j.start < 0) j.start = now_;
      room -= tokens;
      l.chunks.emplace_back(i, tokens);
    };
    for (const std::size_t i : in_lane(server, lane, State::prefilling)) chunk(i);
    while (!preempted && !s.queue.empty()) {
      std::int64_t admitted = 0;
      for (const Job& j : jobs_)
        admitted += j.server == server && j.state != State::waiting && j.state != State::done && j.state != State::unborn;
      if (admitted >= most_) break;
      const std::int64_t lanes = static_cast<std::int64_t>(s.lanes.size());
      if (lanes > 1 && members(server, lane) >= (admitted + static_cast<std::int64_t>(s.queue.size()) + lanes - 1) / lanes) break;
      const std::size_t place = head(s), i = s.queue[place];
      Job& j = jobs_[i];
      if (room <= 0 && !j.swapped) break;
      const std::int64_t needed = pages(j.swapped ? j.kept : j.wanted());
      if (used(server) + (j.swapped ? pages(j.kept + 1 + draft()) : needed) > pool_.pages) break;
      s.queue.erase(s.queue.begin() + static_cast<std::ptrdiff_t>(place));
      j.pages = needed;
      if (j.swapped) {
        s.host = std::max(s.host, now_) + (static_cast<double>(needed) * pool_.page / fleet_.host_bandwidth).coherent();
        j.ready = s.host;
        j.state = State::loading;
        j.swapped = false;
      } else {
        j.kept = 0;
        j.lane = lane;
        j.admitted = ++admissions_;
        j.state = State::prefilling;
        chunk(i);
      }
    }
    if (alone && l.chunks.empty()) grow();
    l.decoding = alone && !l.chunks.empty() ? std::vector<std::size_t>{} : decoding;
    if (l.decoding.empty() && l.chunks.empty()) return preempted;

    Pass pass;
    pass.decode_sequences = static_cast<double>(l.decoding.size()) * plan_.pp;
    pass.tokens_per_sequence = 1 + draft();
    for (const std::size_t i : l.decoding) pass.decode_context += static_cast<double>(jobs_[i].kept);
    if (!l.decoding.empty()) pass.decode_context /= static_cast<double>(l.decoding.size());
    double pairs = 0, tokens = 0;
    for (const auto& [i, n] : l.chunks) {
      for (std::int64_t k = 1; k <= n; ++k) pairs += static_cast<double>(jobs_[i].kept + k);
      tokens += static_cast<double>(n);
    }
    if (!l.chunks.empty()) {
      pass.prefill_sequences = static_cast<double>(l.chunks.size());
      pass.prefill_tokens = tokens / pass.prefill_sequences;
      pass.prefill_context = std::max(0.0, pairs / tokens - (pass.prefill_tokens + 1) / 2);
    }
    const PassEstimate e = pool_.plan->estimate(pass);
    Seconds time = e.time, stage = e.stage_time;
    if (fleet_.drafting.by_mtp && draft() > 0 && !l.decoding.empty()) {
      const Seconds drafted = draft() * pool_.plan->draft(pass).stage_time;
      time += drafted, stage += drafted;
    }
    l.stepping = true;
    l.event = now_ + time.coherent();
    l.sequence = ++sequences_;
    if (s.lanes.size() > 1) s.entrance = now_ + stage.coherent();
    return false;
  }

  void end(Server& s, Lane& l) {
    l.event = never;
    if (!l.stepping) return;
    l.stepping = false;
    for (const std::size_t i : l.decoding) {
      Job& j = jobs_[i];
      std::int64_t yield = 1;
      if (draft() > 0) {
        double left = Draws(fleet_.seed ^ scrambled(j.request.id), Purpose::fleet, static_cast<std::uint64_t>(j.generated)).uniform();
        for (int k = 0; k < draft() && left >= fleet_.drafting.accepted[static_cast<std::size_t>(k)]; ++k, ++yield)
          left -= fleet_.drafting.accepted[static_cast<std::size_t>(k)];
        yield = std::min(yield, j.request.output - j.generated);
      }
      j.generated += yield;
      j.kept += yield;
      if (j.generated == j.request.output) finish(j);
    }
    for (const auto& [i, n] : l.chunks) {
      Job& j = jobs_[i];
      j.kept += n;
      if (j.kept < j.wanted()) continue;
      if (j.request.output > 0 && j.generated++ == 0) j.first = now_;
      if (j.generated >= j.request.output) finish(j);
      else j.state = State::decoding;
    }
    (void)s;
  }

  void finish(Job& j) {
    j.state = State::done;
    j.pages = 0;
    tell(j, j.request.output == 0 ? Outcome::empty : Outcome::answered);
  }
  void tell(const Job& j, Outcome outcome) {
    stories_.push_back({.id = j.request.id, .outcome = outcome, .arrival = j.request.arrival, .start = std::max(j.start, 0.0) * unit::s,
                        .first_token = j.first * unit::s, .finish = now_ * unit::s, .prompt = j.request.prompt, .output = j.generated,
                        .preemptions = j.preemptions, .replica = j.server});
  }

  const Fleet& fleet_;
  const Pool& pool_;
  const Plan& plan_;
  std::vector<Job> jobs_;
  std::vector<Server> servers_;
  std::vector<Finished> stories_;
  std::vector<std::pair<int, int>> marked_;
  int most_ = 0, turn_ = 0;
  double now_ = 0;
  std::uint64_t sequences_ = 0, admissions_ = 0;
};

}  // namespace fareline::test
