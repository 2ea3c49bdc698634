// SPDX-License-Identifier: Apache-2.0
// Inside kernel_rows: one reader a table.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "truth/kernel_rows.h"
#include "truth/serving_formats.h"
#include "truth/table.h"

namespace fareline::kernel_tables_of {

// Fills in `timing` from the current record and appends it, or several, or none that a later record completes.
using Reader = Expected<void> (*)(const TableReader&, KernelTiming, std::vector<KernelTiming>&);

Expected<void> read_measured(const TableReader&, KernelTiming, std::vector<KernelTiming>&);
Expected<void> read_gemm(const TableReader&, KernelTiming, std::vector<KernelTiming>&);
Expected<void> read_attention(const TableReader&, KernelTiming, std::vector<KernelTiming>&);
Expected<void> read_latent(const TableReader&, KernelTiming, std::vector<KernelTiming>&);
Expected<void> read_sparse(const TableReader&, KernelTiming, std::vector<KernelTiming>&);
Expected<void> read_moe(const TableReader&, KernelTiming, std::vector<KernelTiming>&);
Expected<void> read_delta_rule(const TableReader&, KernelTiming, std::vector<KernelTiming>&);
Expected<void> read_mamba(const TableReader&, KernelTiming, std::vector<KernelTiming>&);
Expected<void> read_nccl(const TableReader&, KernelTiming, std::vector<KernelTiming>&);
Expected<void> read_custom_allreduce(const TableReader&, KernelTiming, std::vector<KernelTiming>&);
Expected<void> read_low_latency_exchange(const TableReader&, KernelTiming, std::vector<KernelTiming>&);
Expected<void> read_normal_exchange(const TableReader&, KernelTiming, std::vector<KernelTiming>&);
Expected<void> read_vidur_mlp(const TableReader&, KernelTiming, std::vector<KernelTiming>&);
Expected<void> read_vidur_network(const TableReader&, KernelTiming, std::vector<KernelTiming>&);
Expected<void> read_llmservingsim(const TableReader&, KernelTiming, std::vector<KernelTiming>&);

// The convolution and the recurrence of one step stand in two rows: joins them, and refuses those without the other.
void join_recurrences(std::vector<KernelTiming>& timings);

}  // namespace fareline::kernel_tables_of
