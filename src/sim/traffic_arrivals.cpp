// SPDX-License-Identifier: Apache-2.0
#include "sim/traffic_arrivals.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

#include "sim/traffic_words.h"

namespace fareline {

constexpr double two_pi = 6.283185307179586;

double sine_of_turns(double turns) {
  double x = turns - std::floor(turns);
  double sign = 1;
  if (x >= 0.5) x -= 0.5, sign = -1;
  if (x > 0.25) x = 0.5 - x;
  const double a = two_pi * x, square = a * a;
  double series = 1;
  for (int n = 22; n >= 2; n -= 2) series = 1 - series * square / (n * (n + 1));
  return sign * a * series;
}

Seconds Arrivals::when(double cumulative) {
  switch (law_.kind) {
    case ArrivalLaw::Kind::poisson:
    case ArrivalLaw::Kind::gamma:
    case ArrivalLaw::Kind::fixed: return cumulative / rate_;
    case ArrivalLaw::Kind::markov: {
      // Calm and burst intensities that average to the rate.
      const Frequency calm = rate_ / (1 - law_.share + law_.ratio * law_.share);
      for (;;) {
        const Frequency now = burst_ ? law_.ratio * calm : calm;
        const double left = now * (phase_end_ - phase_start_);
        if (phases_ > 0 && cumulative <= at_phase_start_ + left) return phase_start_ + (cumulative - at_phase_start_) / now;
        if (phases_ > 0) at_phase_start_ += left, burst_ = !burst_;
        phase_start_ = phase_end_;
        const Seconds mean = burst_ ? law_.dwell : law_.dwell * ((1 - law_.share) / law_.share);
        phase_end_ = phase_start_ + mean * Draws(seed_, Purpose::phase, phases_++).exponential_gap();
      }
    }
    case ArrivalLaw::Kind::diurnal: {
      // In periods: L(x) = rate period (x + swing (1 - cos 2 pi x) / 2 pi), 1 - cos 2 pi x = 2 sin^2 pi x. Newton, held inside
      // bounds that halve where it would leave them.
      const double wanted = cumulative / (rate_ * law_.period);
      const auto grown = [&](double x) {
        const double sine = sine_of_turns(x / 2);
        return x + law_.swing * 2 * sine * sine / two_pi;
      };
      double low = wanted - 2 * law_.swing / two_pi, high = wanted, x = (low + high) / 2;
      for (int step = 0; step < 60 && high - low > 1e-15 * std::max(1.0, high); ++step) {
        const double over = grown(x) - wanted;
        (over > 0 ? high : low) = x;
        const double next = x - over / (1 + law_.swing * sine_of_turns(x));
        if (next == x) break;
        x = next > low && next < high ? next : (low + high) / 2;
      }
      return std::max(x, 0.0) * law_.period;
    }
  }
  return {};
}

Seconds Arrivals::next() {
  Draws draws(seed_, Purpose::arrival, drawn_++);
  switch (law_.kind) {
    case ArrivalLaw::Kind::fixed: cumulative_ += 1; break;
    case ArrivalLaw::Kind::gamma: cumulative_ += draws.gamma_of_mean_one(law_.burstiness); break;
    default: cumulative_ += draws.exponential_gap();
  }
  return when(cumulative_);
}

Expected<ArrivalLaw> read_arrival_law(std::string_view text) {
  const Words words = words_of(text);
  const std::vector<std::string> known{"poisson", "gamma", "markov", "diurnal", "fixed"};
  const auto found = std::find(known.begin(), known.end(), words.name);
  if (found == known.end()) {
    const std::string near = nearest_names(words.name, known);
    return fail({}, in_quotes(text) + " is no law of arrivals",
                near.empty() ? "write poisson, gamma:0.5, markov:4,0.1,30s, diurnal:0.5,24h or fixed" : near);
  }
  ArrivalLaw law{.kind = static_cast<ArrivalLaw::Kind>(found - known.begin())};
  const auto wrong = [&](const char* what, const char* remedy) { return fail({}, in_quotes(text) + " " + what, remedy); };
  const auto number = [&](std::size_t i, double least, double most) -> std::optional<double> {
    const auto value = parse_quantity(words.arguments[i], Dim{});
    return value && *value >= least && *value <= most ? std::optional(*value) : std::nullopt;
  };
  const auto duration = [&](std::size_t i) -> std::optional<Seconds> {
    const auto value = parse<Seconds>(words.arguments[i]);
    return value && *value > Seconds{} ? std::optional(*value) : std::nullopt;
  };
  const std::size_t given = words.arguments.size();
  switch (law.kind) {
    case ArrivalLaw::Kind::gamma: {
      const char* remedy = "write gamma:0.5, the shape of the gaps: 1 is Poisson, below it bursts";
      const auto shape = given == 1 ? number(0, 0.01, 1000) : std::nullopt;
      if (!shape) return wrong("has no burstiness between 0.01 and 1000", remedy);
      law.burstiness = *shape;
      return law;
    }
    case ArrivalLaw::Kind::markov: {
      const char* remedy = "write markov:4,0.1,30s: in bursts four times the calm rate, a tenth of the time, 30 s long on average";
      if (given != 3) return wrong("has not its three numbers", remedy);
      const auto ratio = number(0, 1, 1e6), share = number(1, 1e-6, 1 - 1e-6);
      const auto dwell = duration(2);
      if (!ratio || !share || !dwell) return wrong("has a number out of range", remedy);
      law.ratio = *ratio, law.share = *share, law.dwell = *dwell;
      return law;
    }
    case ArrivalLaw::Kind::diurnal: {
      const char* remedy = "write diurnal:0.5 or diurnal:0.5,24h: the rate swings by half of its mean within the period";
      if (given < 1 || given > 2) return wrong("has not its one or two numbers", remedy);
      const auto swing = number(0, 0, 0.99);
      const auto period = given == 2 ? duration(1) : std::optional(law.period);
      if (!swing || !period) return wrong("has a number out of range", remedy);
      law.swing = *swing, law.period = *period;
      return law;
    }
    default:
      if (text != words.name) return wrong("takes no numbers", "write its name alone");
      return law;
  }
}

}  // namespace fareline
