// SPDX-License-Identifier: Apache-2.0
#include "truth/kernel_rows.h"

#include <filesystem>

#include <gtest/gtest.h>

#include "tests/place.h"
#include "truth/kernel_predict.h"

namespace fareline {
namespace {

std::vector<KernelTiming> read(const std::string& text) {
  auto rows = read_kernel_timings("t.csv", text);
  EXPECT_TRUE(rows.has_value()) << rows.error().line();
  return rows.value_or(std::vector<KernelTiming>{});
}

const std::string gemm_header = "system,backend,backend_version,kernel_source,gemm_dtype,m,n,k,latency_ms\n";

TEST(KernelRows, ReadAProduct) {
  const auto rows = read(gemm_header + "h100_sxm,vllm,0.24.0,torch,fp8,64,4096,8192,0.025\n");
  ASSERT_EQ(rows.size(), 1u);
  const KernelTiming& row = rows.front();
  EXPECT_EQ(row.refusal, "");
  EXPECT_EQ(row.id, "t.csv:2");
  EXPECT_EQ(row.setup.system, "hgx-h100");
  EXPECT_EQ(row.setup.stack, "vllm");
  EXPECT_EQ(row.setup.kernel, Kernel::gemm);
  EXPECT_EQ(row.setup.format, Format::fp8);
  EXPECT_NEAR(row.measured.in(unit::us), 25, 1e-9);
  const auto& run = std::get<ProductRun>(row.setup.run);
  EXPECT_EQ(run.m, 64);
  EXPECT_EQ(run.n, 4096);
  EXPECT_EQ(run.k, 8192);
}

TEST(KernelRows, RefuseForReasonsThatDoNotLookAtTheTime) {
  for (const char* time : {"0.001", "1000"}) {
    const auto rows = read(gemm_header + "h100_sxm,vllm,0,x,fp8_block,64,4096,8192," + time + "\nh100_sxm,trtllm,0,x,int8_wo,1,1,1," +
                           time + "\nabacus,trtllm,0,x,fp8,1,1,1," + time + "\nh100_sxm,trtllm,0,x,fp3,1,1,1," + time + "\n");
    ASSERT_EQ(rows.size(), 4u);
    EXPECT_EQ(rows[0].refusal, "launched one by one from the host, where engines replay graphs");
    EXPECT_EQ(rows[1].refusal, "8-bit integer weights under 16-bit activations have no row among the formats");
    EXPECT_EQ(rows[2].refusal, "its system is not in the catalogue");
    EXPECT_EQ(rows[3].refusal, "its number format has no row here (fp3)");
  }
}

// A decoding sequence whose kept tokens and the new one are isl + step together.
TEST(KernelRows, ReadDecodingAndPromptsOfAttention) {
  const std::string header =
      "system,backend,op_name,kernel_source,attn_dtype,kv_cache_dtype,batch_size,isl,step,num_heads,num_key_value_heads,head_dim,"
      "window_size,latency_ms\n";
  const auto rows = read(header + "h200_sxm,vllm,generation_attention,fa3,bfloat16,fp8,8,1,1023,32,4,128,,0.02\n" +
                         "h200_sxm,vllm,context_attention,fa3,bfloat16,bfloat16,2,512,0,32,4,128,256,0.05\n");
  ASSERT_EQ(rows.size(), 2u);
  const auto& decode = std::get<AttentionRun>(rows[0].setup.run);
  EXPECT_EQ(rows[0].setup.kernel, Kernel::attention_decode);
  EXPECT_EQ(rows[0].setup.format, Format::fp8);
  EXPECT_EQ(decode.before, 1023);
  EXPECT_EQ(decode.fresh, 0);
  EXPECT_EQ(decode.attention.kind, AttentionKind::full);
  const auto& prompt = std::get<AttentionRun>(rows[1].setup.run);
  EXPECT_EQ(rows[1].setup.kernel, Kernel::attention_prefill);
  EXPECT_EQ(prompt.fresh, 512);
  EXPECT_EQ(prompt.attention.kind, AttentionKind::sliding);
  EXPECT_EQ(prompt.attention.window, 256);
}

TEST(KernelRows, JoinTheTwoKernelsOfARecurrence) {
  const std::string header =
      "system,backend,kernel_source,phase,batch_size,seq_len,d_conv,num_k_heads,head_k_dim,num_v_heads,head_v_dim,latency_ms\n";
  const auto rows = read(header + "h100_sxm,vllm,causal_conv1d_fn,context,4,1024,4,16,128,32,128,0.03\n" +
                         "h100_sxm,vllm,causal_conv1d_fn,context,8,1024,4,16,128,32,128,0.05\n" +
                         "h100_sxm,vllm,chunk_gated_delta_rule,context,4,1024,4,16,128,32,128,0.07\n");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_NEAR(rows[0].measured.in(unit::us), 100, 1e-9);
  EXPECT_EQ(rows[0].refusal, "");
  EXPECT_EQ(rows[1].refusal, "times the convolution without the recurrence, or the other way round");
}

TEST(KernelRows, ReadWhatMeasureWrites) {
  std::string header;
  for (const std::string_view column : measured_kernel_columns) header += (header.empty() ? "" : ",") + std::string(column);
  const auto rows = read(header + "\ncpu-zen4-2core,onednn,gemm,int8,2,1,4096,4096,,,,,,,,,,,0.0008,bench\n" +
                         "cpu-zen4-2core,onednn,attention_decode,bf16,2,,,,4,8,2,64,,1000,,,,,0.0001,bench\n" +
                         "cpu-zen4-2core,onednn,elementwise,,2,,,,,,,,,,,,,100000000,0.004,bench\n");
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(std::get<ProductRun>(rows[0].setup.run).m, 1);
  EXPECT_EQ(rows[0].setup.format, Format::int8);
  EXPECT_EQ(std::get<AttentionRun>(rows[1].setup.run).before, 1000);
  EXPECT_EQ(std::get<AttentionRun>(rows[1].setup.run).attention.kv_heads, 2);
  EXPECT_EQ(std::get<ElementwiseRun>(rows[2].setup.run).bytes, 100 * unit::MB);
  EXPECT_EQ(rows[2].setup.chip, "cpu-zen4-2core");
}

TEST(KernelRows, SayWhatIsWrongWithATable) {
  const auto unknown = read_kernel_timings("t.csv", "system,backend,gemm_dtype,m,n,latency_ms\n");
  ASSERT_FALSE(unknown);
  EXPECT_NE(unknown.error().what.find("nearest to aic_gemm, and has no column k"), std::string::npos) << unknown.error().what;
  const auto damaged = read_kernel_timings("t.csv", gemm_header + "h100_sxm,vllm,0,x,fp8,many,1,1,1\n");
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().where, "t.csv line 2, column m");
  const auto kernel = read_kernel_timings("t.csv", "chip,stack,kernel,seconds\nh100-sxm,x,gem,1\n");
  ASSERT_FALSE(kernel);
  EXPECT_EQ(kernel.error().remedy, "did you mean gemm, grouped_gemm?");
  EXPECT_TRUE(*holds_kernels("t.csv", gemm_header));
  EXPECT_FALSE(*holds_kernels("t.csv", "a,b\n"));
}

TEST(KernelRows, OfEveryTableOfTheSharedDataAreReadOrRefused) {
  const auto shared = test::shared_folder();
  if (!shared) GTEST_SKIP() << "no ../shared here";
  int tables = 0;
  for (const auto& entry : std::filesystem::directory_iterator(*shared / "data" / "dev")) {
    const std::string bytes = test::file_text(entry.path());
    const auto kernels = holds_kernels(entry.path().string(), bytes);
    if (!kernels || !*kernels) continue;
    ++tables;
    const auto rows = read_kernel_timings(entry.path().string(), bytes);
    ASSERT_TRUE(rows.has_value()) << rows.error().line();
    std::size_t refused = 0;
    for (const KernelTiming& row : *rows) {
      refused += !row.refusal.empty();
      if (row.refusal.empty()) EXPECT_GT(row.measured, Seconds{});
    }
    const bool convolutions_alone = entry.path().filename() == "aic_mamba2.csv.gz";
    EXPECT_EQ(refused == rows->size(), convolutions_alone) << entry.path();
  }
  EXPECT_EQ(tables, 17);
}

}  // namespace
}  // namespace fareline
