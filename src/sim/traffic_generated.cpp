// SPDX-License-Identifier: Apache-2.0
#include "sim/traffic_generated.h"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "units/text.h"

namespace fareline {

GeneratedTraffic::GeneratedTraffic(TrafficLaw law)
    : law_(std::move(law)),
      stride_(law_.turns.always(1) ? 1 : most_turns),
      paired_(law_.prompt.kind == LengthLaw::Kind::drawn && law_.output.kind == LengthLaw::Kind::drawn &&
              law_.prompt.path == law_.output.path),
      arrivals_(law_.arrivals, law_.rate / std::max(1.0, law_.turns.mean()), law_.seed) {
  if (law_.users == 0) return;
  std::vector<Seconds> begins;
  for (std::uint64_t user = 0; user < law_.users; ++user)
    begins.push_back(law_.think * Draws(law_.seed, Purpose::arrival, user).exponential_gap());
  first_user_.resize(law_.users);
  std::iota(first_user_.begin(), first_user_.end(), std::uint64_t{0});
  std::stable_sort(first_user_.begin(), first_user_.end(), [&](std::uint64_t a, std::uint64_t b) { return begins[a] < begins[b]; });
  for (const std::uint64_t user : first_user_) first_.push_back(begins[user]);
}

std::int64_t GeneratedTraffic::length(const LengthLaw& law, Purpose purpose, std::uint64_t id) const {
  Draws draws(law_.seed, purpose, id);
  return law.draw(draws);
}

std::uint64_t GeneratedTraffic::turns_of(std::uint64_t session) const {
  if (stride_ == 1) return 1;
  return static_cast<std::uint64_t>(
      std::clamp<std::int64_t>(length(law_.turns, Purpose::turns, session), 1, static_cast<std::int64_t>(most_turns)));
}

Seconds GeneratedTraffic::thinking(std::uint64_t id) const {
  return law_.think > Seconds{} ? law_.think * Draws(law_.seed, Purpose::think, id).exponential_gap() : Seconds{};
}

Request GeneratedTraffic::made(std::uint64_t session, std::uint64_t turn, Seconds arrival) const {
  const Purpose output = paired_ ? Purpose::prompt : Purpose::output;
  const std::uint64_t id = session * stride_ + turn;
  Request request{.id = id, .arrival = arrival, .prompt = law_.shared, .session = stride_ == 1 ? 0 : session + 1,
                  .block_tokens = law_.block_tokens};
  for (std::uint64_t earlier = session * stride_; earlier < id; ++earlier)
    request.prompt += length(law_.prompt, Purpose::prompt, earlier) + length(law_.output, output, earlier);
  request.prompt += length(law_.prompt, Purpose::prompt, id);
  request.output = length(law_.output, output, id);
  if (law_.urgent > 0) request.priority = Draws(law_.seed, Purpose::priority, id).uniform() < law_.urgent ? 1 : 0;
  if (law_.blocks && (stride_ > 1 || law_.shared > 0)) {
    const auto size = static_cast<std::int64_t>(law_.block_tokens);
    const auto count = request.prompt / size, common = law_.shared / size;
    request.blocks.reserve(static_cast<std::size_t>(count));
    for (std::int64_t i = 0; i < count; ++i)
      request.blocks.push_back(
          Draws(law_.seed ^ (i < common ? 0 : scrambled(session + 1)), Purpose::block, static_cast<std::uint64_t>(i)).bits());
  }
  return request;
}

std::optional<Request> GeneratedTraffic::next() {
  if (issued_ >= law_.requests || (law_.users > 0 && sessions_ >= law_.users)) return std::nullopt;
  const std::uint64_t order = sessions_++;
  ++issued_;
  if (law_.users > 0) return made(first_user_[order], 0, first_[order]);
  return made(order, 0, arrivals_.next());
}

std::optional<Request> GeneratedTraffic::answered(std::uint64_t id, Seconds at) {
  if (issued_ >= law_.requests || (stride_ == 1 && law_.users == 0)) return std::nullopt;
  const std::uint64_t session = id / stride_, turn = id % stride_;
  const bool more = turn + 1 < turns_of(session);
  if (!more && law_.users == 0) return std::nullopt;
  ++issued_;
  const Seconds arrival = at + thinking(id);
  return more ? made(session, turn + 1, arrival) : made(session + law_.users, 0, arrival);
}

std::optional<std::string> GeneratedTraffic::save() const { return fmt::format("{} {}", sessions_, issued_); }

bool GeneratedTraffic::restore(std::string_view bytes) {
  const auto blank = bytes.find(' ');
  if (blank == std::string_view::npos) return false;
  const auto sessions = parse_count(bytes.substr(0, blank)), issued = parse_count(bytes.substr(blank + 1));
  if (!sessions || !issued || *sessions > *issued) return false;
  const auto begun = static_cast<std::uint64_t>(*sessions);
  if (static_cast<std::uint64_t>(*issued) > law_.requests || begun < sessions_ || (law_.users > 0 && begun > law_.users)) return false;
  if (law_.users == 0)
    for (; sessions_ < begun; ++sessions_) arrivals_.next();
  sessions_ = begun;
  issued_ = static_cast<std::uint64_t>(*issued);
  return true;
}

}  // namespace fareline
