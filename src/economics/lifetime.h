// SPDX-License-Identifier: Apache-2.0
// The compute of one model's life: pre-training, reinforcement learning, inference; and how much of each is least.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "units/quantity.h"

namespace fareline {

// Training FLOP of one active parameter and token: 2 forwards, 4 backwards.
// Source: Kaplan et al. 2020, arXiv:2001.08361, section 2.1; the lecture at 1:22:14. Assumes: attention scores left out.
inline constexpr Flops training_flop = 6 * unit::flop;
// Forward FLOP of one active parameter and token: a multiply and an add.
// Source: Kaplan et al. 2020, arXiv:2001.08361, section 2.1; the lecture at 1:23:33. Assumes: attention scores left out.
inline constexpr Flops forward_flop = 2 * unit::flop;
// Compute-optimal tokens of one parameter.
// Source: Hoffmann et al. 2022, arXiv:2203.15556, table 3. Assumes: dense models, rounded as it is usually quoted.
inline constexpr double chinchilla_tokens = 20;

// loss = E + A / N^alpha + B / D^beta, D in tokens.
struct ScalingLaw {
  std::string_view name, source;
  double irreducible = 0, model_scale = 0, data_scale = 0, alpha = 0, beta = 0;
};
std::span<const ScalingLaw> scaling_laws();

// Returns the loss of `parameters` trained on `tokens`, nats a token. Equation: E + A N^-alpha + B D^-beta.
// Source: Hoffmann et al. 2022, equation 2. Assumes: dense models on web text, one epoch.
double loss(const ScalingLaw& law, double parameters, Tokens tokens);

// Returns the tokens at which `parameters` reach `loss`; none where they never do. Equation: (B / (L - E - A N^-alpha))^(1/beta).
// Source: the law solved for D. Assumes: as loss.
std::optional<Tokens> tokens_for_loss(const ScalingLaw& law, double parameters, double loss);

// Returns the parameters that reach the least loss with `compute`. Equation: G (C/6)^(beta/(alpha+beta)),
// G = (alpha A / (beta B))^(1/(alpha+beta)). Source: Hoffmann et al. 2022, equation 4. Assumes: C = 6 N D.
double optimal_parameters(const ScalingLaw& law, Flops compute);

// Returns the tokens that make `parameters` compute-optimal. Equation: (beta B / (alpha A))^(1/beta) N^(alpha/beta).
// Source: Hoffmann et al. 2022, equation 4, N and D joined. Assumes: C = 6 N D.
Tokens optimal_tokens(const ScalingLaw& law, double parameters);

// What a model's life costs beside its pre-training. A token's FLOP is divided by the efficiency its phase reaches, over
// that of pre-training.
struct Life {
  Tokens inference;               // expected to be served
  double inference_efficiency = 1;
  double rl_trained = 0;          // share of rollouts that are trained on
  double rl_efficiency = 1;
  double rl_share = 0;            // of the law's minimum: RL's cost over pre-training's
};

// Returns the cost of one RL token over one of pre-training. Equation: (2 + 4 s) / 6 / e.
// Source: the lecture at 1:25:54. Assumes: generating is the forward pass; a trained rollout adds the backward one.
double rl_token_cost(const Life& life);
// Returns the cost of one inference token over one of pre-training. Equation: 2 / 6 / e.
// Source: the lecture at 1:26. Assumes: input and output tokens cost alike.
double inference_token_cost(const Life& life);

struct EqualCosts {
  Tokens pretraining, rl;
  Flops each, total;  // in FLOP at the efficiency of pre-training
};
// Returns the tokens at which the three phases cost the same. Equation: 6 N D = (2 + 4 s) N D_rl / e_rl = 2 N D_inf / e_inf.
// Source: the lecture at 1:20:22 to 1:28. Assumes: costs that fall and rise as powers are least where they are equal.
EqualCosts equal_costs(const Life& life, double active_parameters);

// Returns the x that minimises a/x + b x, where both are equal. Equation: sqrt(a/b).
// Source: calculus; the lecture at 1:20:46. Assumes: a and b are positive.
double equal_costs_minimum(double falling, double rising);

// Returns the parameters that count, for the loss, of a model that uses one in `sparsity` of its own. Equation: N s^g.
// Source: Clark et al. 2022, Unified Scaling Laws for Routed Language Models, arXiv:2202.01169, section 4; the lecture at 29:44
// (64 experts and 370M active are worth 1.3B dense: g = 0.302). Assumes: one exponent for all sizes.
double effective_parameters(double active_parameters, double sparsity, double exponent);

struct CheapestLife {
  double parameters = 0;  // active
  Tokens tokens;          // of pre-training
  Flops pretraining, rl, inference, total;
};
// Returns the cost of a life with a model of `active` parameters that reaches `target` loss; none where it cannot.
// Equation: (1 + r) 6 N D(N) + 2 N D_inf / e; D(N) = tokens_for_loss of N s^g. Source: Sardana et al. 2023, Beyond Chinchilla-Optimal,
// arXiv:2401.00448, equation 2. Assumes: RL's cost is a share of pre-training's; who is served does not depend on size.
std::optional<CheapestLife> life_of(const ScalingLaw& law, const Life& life, double active, double worth, double target);

// Returns the life of least cost that reaches `target` loss; none where no model does. `worth`: effective over active parameters.
// Equation: 6 (1 + r) D (1 - alpha A n / (beta (L - E - A n))) + 2 D_inf / e = 0, n = (w N)^-alpha, solved for N by bisection.
// Source: the derivative of life_of. Assumes: as life_of.
std::optional<CheapestLife> cheapest_life(const ScalingLaw& law, const Life& life, double worth, double target);

}  // namespace fareline
