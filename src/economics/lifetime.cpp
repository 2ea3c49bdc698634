// SPDX-License-Identifier: Apache-2.0
#include "economics/lifetime.h"

#include <array>
#include <cmath>

#include "units/elementary.h"

namespace fareline {

std::span<const ScalingLaw> scaling_laws() {
  static constexpr std::array<ScalingLaw, 3> laws{{
      {"besiroglu", "Besiroglu et al. 2024, Chinchilla Scaling: A replication attempt, arXiv:2404.10102, table 1", 1.8172, 482.01, 2085.43,
       0.3478, 0.3658},
      {"chinchilla", "Hoffmann et al. 2022, arXiv:2203.15556, approach 3, unrounded (the paper's TeX source)", 1.6934, 406.4, 410.7, 0.3392,
       0.2849},
      {"chinchilla_rounded", "Hoffmann et al. 2022, arXiv:2203.15556, approach 3, as printed", 1.69, 406.4, 410.7, 0.34, 0.28},
  }};
  return laws;
}

double loss(const ScalingLaw& law, double parameters, Tokens tokens) {
  return law.irreducible + law.model_scale * power(parameters, -law.alpha) + law.data_scale * power(tokens.in(unit::token), -law.beta);
}

std::optional<Tokens> tokens_for_loss(const ScalingLaw& law, double parameters, double target) {
  const double left = target - law.irreducible - law.model_scale * power(parameters, -law.alpha);
  if (!(left > 0)) return std::nullopt;
  return power(law.data_scale / left, 1 / law.beta) * unit::token;
}

double optimal_parameters(const ScalingLaw& law, Flops compute) {
  const double both = law.alpha + law.beta;
  return power(law.alpha * law.model_scale / (law.beta * law.data_scale), 1 / both) * power(compute / training_flop, law.beta / both);
}

Tokens optimal_tokens(const ScalingLaw& law, double parameters) {
  return power(law.beta * law.data_scale / (law.alpha * law.model_scale), 1 / law.beta) * power(parameters, law.alpha / law.beta) *
         unit::token;
}

double rl_token_cost(const Life& life) {
  return (forward_flop + (training_flop - forward_flop) * life.rl_trained) / training_flop / life.rl_efficiency;
}

double inference_token_cost(const Life& life) { return forward_flop / training_flop / life.inference_efficiency; }

EqualCosts equal_costs(const Life& life, double active_parameters) {
  const Tokens pretraining = inference_token_cost(life) * life.inference;
  const Flops each = training_flop * active_parameters * pretraining.in(unit::token);
  return {.pretraining = pretraining, .rl = pretraining / rl_token_cost(life), .each = each, .total = 3 * each};
}

double equal_costs_minimum(double falling, double rising) { return std::sqrt(falling / rising); }

double effective_parameters(double active_parameters, double sparsity, double exponent) {
  return active_parameters * power(sparsity, exponent);
}

std::optional<CheapestLife> life_of(const ScalingLaw& law, const Life& life, double active, double worth, double target) {
  const auto tokens = tokens_for_loss(law, worth * active, target);
  if (!tokens) return std::nullopt;
  const Flops pretraining = training_flop * active * tokens->in(unit::token);
  const Flops inference = training_flop * active * inference_token_cost(life) * life.inference.in(unit::token);
  const Flops rl = life.rl_share * pretraining;
  return CheapestLife{.parameters = active,
                      .tokens = *tokens,
                      .pretraining = pretraining,
                      .rl = rl,
                      .inference = inference,
                      .total = pretraining + rl + inference};
}

std::optional<CheapestLife> cheapest_life(const ScalingLaw& law, const Life& life, double worth, double target) {
  const double above = target - law.irreducible;
  if (!(above > 0)) return std::nullopt;
  const double served = inference_token_cost(life) * life.inference.in(unit::token);
  // In ln N: below the smallest model that reaches the loss, the slope of the cost is taken as falling.
  const auto falls = [&](double log_size) {
    const double size_part = law.model_scale * power(worth * exponential(log_size), -law.alpha), left = above - size_part;
    if (!(left > 0)) return true;
    const double tokens = power(law.data_scale / left, 1 / law.beta);
    return (1 + life.rl_share) * tokens * (1 - law.alpha * size_part / (law.beta * left)) + served < 0;
  };
  double low = 0, high = 200;
  if (falls(high)) return std::nullopt;
  while (true) {
    const double middle = (low + high) / 2;
    if (middle == low || middle == high) break;
    (falls(middle) ? low : high) = middle;
  }
  return life_of(law, life, exponential(high), worth, target);
}

}  // namespace fareline
