// SPDX-License-Identifier: Apache-2.0
#include "api/past.h"

#include <algorithm>

#include "perf/memory.h"

namespace fareline {

Past::Past(const Inputs& inputs)
    : window(inputs.number("window").value_or(0)),
      topk(inputs.number("topk").value_or(0)),
      index_share(inputs.number("index_share").value_or(0)),
      attention(inputs.text("attention")) {}

double Past::tokens(std::string_view reading, double context) const {
  if (reading == "sliding") return tokens_read(Reading::sliding, context, window);
  if (reading == "square_root") return tokens_read(Reading::square_root, context, 0);
  if (reading == "selected") return tokens_read(Reading::selected, context, topk);
  return tokens_read(Reading::dense, context, 0);
}

Bytes Past::read(const BlackboardModel& model, std::string_view reading, double context) const {
  if (is_own(model, reading)) return context_work(*model.named, model.named->precision.kv, context, false).read;
  const Bytes token = model.kv_per_token ? *model.kv_per_token * unit::token : Bytes{};
  return (tokens(reading, context) + (reading == "selected" && context > topk ? index_share * context : 0)) * token;
}

Bytes Past::kept(const BlackboardModel& model, std::string_view reading, double context) const {
  if (is_own(model, reading)) return sequence_bytes(*model.named, model.named->precision.kv, context);
  const Bytes token = model.kv_per_token ? *model.kv_per_token * unit::token : Bytes{};
  if (reading == "sliding") return std::min(context, window) * token;
  return (reading == "selected" ? 1 + index_share : 1) * context * token;
}

Flops Past::flop(const BlackboardModel& model, std::string_view reading, double context, bool prefill) const {
  if (is_own(model, reading)) return context_work(*model.named, model.named->precision.kv, context, prefill).flop;
  if (!model.layers || !model.heads || !model.head_dim) return Flops{};
  return 4 * *model.layers * *model.heads * *model.head_dim * tokens(reading, context) * unit::flop;
}

}  // namespace fareline
