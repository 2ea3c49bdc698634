// SPDX-License-Identifier: Apache-2.0
#include "perf/balance.h"

#include <algorithm>
#include <cmath>

#include "perf/operators.h"

namespace fareline {

Seconds weight_fetch_time(const Rooflines& r) { return r.total * r.element / r.bandwidth; }

Seconds multiply_time(const Rooflines& r, double batch) { return 2 * batch * r.active * unit::flop / r.peak; }

Seconds kv_fetch_time(const Rooflines& r, double batch, Bytes read) { return batch * read / r.bandwidth; }

double hardware_ratio(FlopRate peak, Bytes element, Bandwidth bandwidth) { return peak / unit::flop / 2 * element / bandwidth; }

decltype(Flops{} / Bytes{}) ridge_point(FlopRate peak, Bandwidth bandwidth) { return peak / bandwidth; }

double balanced_batch(double ratio, double sparsity) { return ratio * sparsity; }

std::optional<double> balanced_batch_with_kv(const Rooflines& r, Bytes read) {
  const Seconds spare = multiply_time(r, 1) - kv_fetch_time(r, 1, read);
  if (!(spare > Seconds{})) return std::nullopt;
  return weight_fetch_time(r) / spare;
}

double step_utilisation(const Rooflines& r, double batch, Bytes read) {
  const Seconds compute = multiply_time(r, batch);
  return compute / max(compute, weight_fetch_time(r) + kv_fetch_time(r, batch, read));
}

double effective_over_active(double dense, double active) { return dense / active; }

double tokens_read(Reading reading, double context, double limit) {
  switch (reading) {
    case Reading::dense: return context;
    case Reading::sliding:
    case Reading::selected: return std::min(context, limit);
    case Reading::square_root: return std::min(context, 2 * std::sqrt(context));
  }
  return context;
}

ContextWork context_work(const Model& model, Format kv, double context, bool prefill) {
  ContextWork work;
  for (const int kind : model.order) {
    const Attention& a = model.kinds[static_cast<std::size_t>(kind)].attention;
    const Reach reach{.kind = a.kind, .window = static_cast<double>(a.window), .topk = static_cast<double>(a.topk),
                      .compress = static_cast<double>(a.compress)};
    const double seen = attended(reach, context);
    switch (a.kind) {
      case AttentionKind::none: continue;
      case AttentionKind::linear:
      case AttentionKind::mamba: {
        const double state = static_cast<double>(a.state_heads) * a.state_rows * a.state_columns,
                     taps = static_cast<double>(a.conv_channels) * a.conv_taps;
        work.flop += ((a.kind == AttentionKind::mamba ? 6 : 8) * state + 2 * taps) * unit::flop;
        work.read += 2 * (state * state_element + static_cast<double>(a.conv_channels) * std::max(0, a.conv_taps - 1) * stream_element);
        continue;
      }
      case AttentionKind::mla: {
        // Selected tokens are attended as latents in prefill too.
        const bool latent = !prefill || a.topk > 0;
        work.flop += 2 * a.heads * (latent ? 2.0 * a.latent_dim + a.rope_dim : static_cast<double>(a.qk_dim) + a.v_dim) * seen * unit::flop;
        work.read += seen * (static_cast<double>(a.latent_dim) + a.rope_dim) * element_bytes(kv);
        break;
      }
      case AttentionKind::full:
      case AttentionKind::sliding:
      case AttentionKind::chunked:
        work.flop += 2 * a.heads * (static_cast<double>(a.qk_dim) + a.v_dim) * seen * unit::flop;
        work.read += seen * a.kv_heads * (static_cast<double>(a.qk_dim) + (a.keys_are_values ? 0 : a.v_dim)) * element_bytes(kv);
        break;
    }
    if (a.topk > 0 && a.index_heads > 0 && a.stores_index) {
      const double scored = context / a.compress;
      work.flop += 2.0 * a.index_heads * a.index_dim * scored * unit::flop;
      work.read += scored * a.index_dim * index_element;
    }
  }
  return work;
}

double quadratic_onset(double active, double layers, double heads, double head_dim) { return active / (2 * layers * heads * head_dim); }

std::optional<double> quadratic_onset(const Model& model, double active) {
  const Flops weights = 2 * active * unit::flop;
  const auto enough = [&](double context) { return context_work(model, model.precision.kv, context, true).flop >= weights; };
  double low = 1, high = 1e12;
  if (!enough(high)) return std::nullopt;
  for (int i = 0; i < 100; ++i) {
    const double middle = std::sqrt(low * high);
    (enough(middle) ? high : low) = middle;
  }
  return high;
}

}  // namespace fareline
