// SPDX-License-Identifier: Apache-2.0
#include "truth/serving_rows.h"

#include <set>

#include <gtest/gtest.h>

#include "catalog/catalog.h"
#include "truth/serving_formats.h"

namespace fareline {
namespace {

constexpr std::string_view sample_header =
    "id,measurement_origin,backend,backend_version,model_path,system,precision,gemm_quant_mode,mode,isl_tokens,osl_tokens,concurrency,"
    "batch_size,"
    "tp_size,pp_size,attention_dp_size,moe_tp_size,moe_ep_size,prefill_num_workers,prefill_tp_size,prefill_attention_dp_size,prefill_moe_"
    "tp_size,"
    "prefill_moe_ep_size,decode_num_workers,decode_tp_size,decode_attention_dp_size,decode_moe_tp_size,decode_moe_ep_size,ttft_ms_measured,"
    "tpot_ms_measured\n";

ServingRow only_row(std::string_view header, std::string_view line) {
  auto rows = read_serving_rows("t.csv", std::string(header) + std::string(line) + "\n");
  EXPECT_TRUE(rows.has_value()) << rows.error().line();
  if (!rows || rows->size() != 1) return {};
  return rows->front();
}

TEST(ServingRows, ReadAggregatedRowOfTheSiliconSample) {
  const ServingRow row =
      only_row(sample_header,
               "r1,InferenceX dump,vllm,0.11.2,meta-llama/Llama-3.1-70B,h100_sxm,fp8,fp8,agg,8192,1024,64.0,64.0,4.0,1.0,1.0,4.0,1.0,"
               ",,,,,,,,,,1250.5,19.25");
  EXPECT_EQ(row.refusal, "");
  EXPECT_EQ(row.setup.model, "nvidia/Llama-3.1-70B-Instruct-FP8");
  EXPECT_EQ(row.setup.system, "hgx-h100");
  EXPECT_EQ(row.setup.layout, (PoolLayout{.tp = 4}));
  EXPECT_EQ(row.setup.kv, Format::fp8);
  EXPECT_EQ(row.setup.shortest, 0.8);
  EXPECT_EQ(row.setup.sequences, 64);
  EXPECT_DOUBLE_EQ(row.measured.ttft->in(unit::ms), 1250.5);
  EXPECT_DOUBLE_EQ(row.measured.tpot->in(unit::ms), 19.25);
  EXPECT_FALSE(row.measured.throughput.has_value());
}

// "tp 64, moe_tp 8, moe_ep 8" is a multiplied label of one machine of 8: its identifier says tp8 ep8.
TEST(ServingRows, ReadMultipliedLayoutsAsTheirIdentifiersSay) {
  const ServingRow row = only_row(
      sample_header,
      "x_tp8_ep8,InferenceX dump,sglang,0.5.6,deepseek-ai/DeepSeek-R1,b200_sxm,fp8,fp8,agg,1024,1024,64.0,64.0,64.0,1.0,1.0,8.0,8.0,"
      ",,,,,,,,,,100,10");
  EXPECT_EQ(row.refusal, "");
  EXPECT_EQ(row.setup.layout, (PoolLayout{.tp = 8, .ep = 8}));
  const ServingRow apart = only_row(
      sample_header,
      "x_dp8_ep8,InferenceX dump,trtllm,1.2,deepseek-ai/DeepSeek-R1,b200_sxm,fp4,nvfp4,agg,1024,1024,64.0,1.0,1.0,1.0,64.0,8.0,8.0,"
      ",,,,,,,,,,100,10");
  EXPECT_EQ(apart.refusal, "");
  EXPECT_EQ(apart.setup.layout, (PoolLayout{.dp = 8, .ep = 8}));
  EXPECT_EQ(apart.setup.model, "nvidia/DeepSeek-V3.1-NVFP4");
}

TEST(ServingRows, ReadPoolsApart) {
  const ServingRow row =
      only_row(sample_header,
               "d,InferenceX dump,trtllm,0.8,deepseek-ai/DeepSeek-V3,b200_sxm,fp8,fp8,disagg,8192,1024,128.0,,,,,,,2.0,1.0,8.0,8.0,1.0,"
               "3.0,1.0,8.0,1.0,8.0,1947.8,30.6");
  EXPECT_EQ(row.refusal, "");
  ASSERT_TRUE(row.setup.prefill.has_value());
  EXPECT_EQ(*row.setup.prefill, (PoolLayout{.dp = 8, .replicas = 2}));
  EXPECT_EQ(row.setup.layout, (PoolLayout{.dp = 8, .ep = 8, .replicas = 3}));
  EXPECT_EQ(row.setup.chips(), 2 * 8 + 3 * 8);
}

TEST(ServingRows, AreRefusedForReasonsThatDoNotLookAtTheResult) {
  const auto refusal = [](std::string_view model, std::string_view system, std::string_view precision, std::string_view rest) {
    return only_row(sample_header, std::string("r,InferenceX dump,vllm,,") + std::string(model) + "," + std::string(system) + "," +
                                       std::string(precision) + ",fp8," + std::string(rest))
        .refusal;
  };
  const std::string_view sound = "agg,1024,1024,8.0,8.0,8.0,1.0,1.0,8.0,1.0,,,,,,,,,,,1,1";
  EXPECT_EQ(refusal("deepseek-ai/DeepSeek-R1", "h200_sxm", "fp8", sound), "");
  EXPECT_EQ(refusal("acme/Nonesuch-1T", "h200_sxm", "fp8", sound), "the model is unknown");
  EXPECT_EQ(refusal("deepseek-ai/DeepSeek-R1", "h200_sxm", "int4", sound), "the model is not known at this precision");
  EXPECT_EQ(refusal("deepseek-ai/DeepSeek-R1", "abacus", "fp8", sound), "the system is unknown");
  EXPECT_EQ(refusal("deepseek-ai/DeepSeek-R1", "h200_sxm", "fp8", "agg,1024,1024,8.0,8.0,8.0,1.0,1.0,8.0,4.0,,,,,,,,,,,1,1"),
            "its layout contradicts itself");
  EXPECT_EQ(refusal("deepseek-ai/DeepSeek-R1", "h200_sxm", "fp8", "agg,1024,1024,,,8.0,1.0,1.0,8.0,1.0,,,,,,,,,,,1,1"),
            "its load is not stated");
  EXPECT_EQ(refusal("deepseek-ai/DeepSeek-R1", "h200_sxm", "fp8", "agg,,1024,8.0,8.0,8.0,1.0,1.0,8.0,1.0,,,,,,,,,,,1,1"),
            "its lengths are not stated");
  EXPECT_EQ(refusal("deepseek-ai/DeepSeek-R1", "h200_sxm", "fp8", "agg,1024,1024,8.0,8.0,8.0,1.0,1.0,8.0,1.0,,,,,,,,,,,,"),
            "nothing was measured");
  EXPECT_EQ(refusal("deepseek-ai/DeepSeek-R1", "h200_sxm", "fp8", "disagg,1024,1024,8.0,,,,,,,,8.0,1.0,8.0,1.0,,8.0,1.0,8.0,1.0,1,1"),
            "the sizes of its pools are not stated");
}

constexpr std::string_view inferencex_header =
    "model,hardware,framework,precision,spec_method,disagg,is_multinode,prefill_tp,prefill_ep,prefill_dp_attention,prefill_num_workers,"
    "decode_tp,decode_ep,"
    "decode_dp_attention,decode_num_workers,num_prefill_gpu,isl_tokens,osl_tokens,max_concurrency,median_tpot_s,total_tput_per_gpu_tok_s,"
    "joules_per_output_token\n";

TEST(ServingRows, ReadInferenceX) {
  const ServingRow row =
      only_row(inferencex_header, "dsr1,gb200,dynamo-trt,fp4,mtp,true,true,4,4,true,5,8,8,true,2,20,8192,1024,1024,0.02,1500,");
  EXPECT_EQ(row.refusal, "");
  EXPECT_EQ(row.setup.system, "gb200-nvl72");
  EXPECT_EQ(row.setup.stack, "trtllm");
  ASSERT_TRUE(row.setup.prefill.has_value());
  EXPECT_EQ(*row.setup.prefill, (PoolLayout{.dp = 4, .ep = 4, .replicas = 5}));
  EXPECT_EQ(row.setup.layout, (PoolLayout{.dp = 8, .ep = 8, .replicas = 2}));
  EXPECT_EQ(row.setup.draft, 1) << "one token is drafted under data-parallel attention";
  EXPECT_GT(row.setup.accepted, 1);
  EXPECT_LE(row.setup.accepted, 2);
  EXPECT_DOUBLE_EQ(row.measured.tpot->in(unit::ms), 20);
  EXPECT_TRUE(row.measured.counts_prompt);
  const ServingRow together =
      only_row(inferencex_header, "llama70b,mi300x,vllm,fp8,none,false,false,8,1,false,1,8,1,false,1,,1024,8192,64,0.015,800,");
  EXPECT_EQ(together.refusal, "");
  EXPECT_FALSE(together.setup.prefill.has_value());
  EXPECT_EQ(together.setup.chips(), 8) << "prefill and decode list the same chips";
}

// Every name of the sealed table stands for a model, a system and a calibration: models x chips x engines x drafting x layouts.
TEST(ServingRows, OfInferenceXResolveWhateverTheyName) {
  struct Named {
    std::string_view model, precision;
  };
  constexpr Named models[]{
      {"dsr1", "fp8"}, {"dsr1", "fp4"}, {"dsv4", "fp4"}, {"dsv4", "fp8"},
      {"llama70b", "fp8"}, {"llama70b", "fp4"}, {"llama70b", "bf16"}, {"gptoss120b", "fp4"},
      {"qwen3.5", "bf16"}, {"qwen3.5", "fp8"}, {"qwen3.5", "fp4"}, {"kimik2.5", "int4"},
      {"kimik2.5", "fp4"}, {"glm5", "bf16"}, {"glm5", "fp8"}, {"glm5", "fp4"},
      {"glm5.1", "fp8"}, {"glm5.1", "fp4"}, {"minimaxm2.5", "fp8"}, {"minimaxm2.5", "fp4"},
      {"minimaxm3", "bf16"}, {"minimaxm3", "fp8"}, {"minimaxm3", "fp4"},
  };
  constexpr std::string_view chips[]{"h100", "h200", "b200", "b300", "gb200", "gb300", "mi300x", "mi325x", "mi355x"};
  constexpr std::string_view engines[]{"vllm", "sglang", "trt", "dynamo-trt", "dynamo-sglang", "dynamo-vllm", "atom", "mori-sglang"};
  const Catalogue& catalogue = Catalogue::built_in();
  std::string text(inferencex_header);
  for (const Named& m : models)
    for (const std::string_view chip : chips)
      for (const std::string_view engine : engines)
        for (const std::string_view drafting : {"none", "mtp"})
          for (const bool apart : {false, true})
            text += std::string(m.model) + "," + std::string(chip) + "," + std::string(engine) + "," + std::string(m.precision) + "," +
                    std::string(drafting) + (apart ? ",true,true,8,8,true,2,8,8,true,3,16" : ",false,false,8,8,false,1,8,8,false,1,") +
                    ",1024,8192,64,0.02,500,\n";
  const auto rows = read_serving_rows("sealed.csv", text);
  ASSERT_TRUE(rows.has_value()) << rows.error().line();
  ASSERT_EQ(rows->size(), std::size(models) * std::size(chips) * std::size(engines) * 2 * 2);
  for (const ServingRow& row : *rows) {
    ASSERT_EQ(row.refusal, "") << row.id;
    ASSERT_TRUE(catalogue.model(row.setup.model).has_value()) << row.setup.model;
    const auto system = catalogue.system(row.setup.system);
    ASSERT_TRUE(system.has_value()) << row.setup.system;
    ASSERT_TRUE(catalogue.calibration_for(system->chip, row.setup.stack).has_value()) << row.setup.system << " " << row.setup.stack;
    ASSERT_EQ(row.setup.draft > 0, row.setup.accepted > 1);
    ASSERT_LE(row.setup.accepted, 1 + row.setup.draft);
  }
}

// aiconfigurator's sample has no column for drafting: images and loads of the published configurations tell.
TEST(ServingRows, TellDraftingRunsByTheirImage) {
  const std::string header = "measured_date,inferencex_config_id," + std::string(sample_header);
  const auto drafted = [&](std::string_view before, std::string_view engine, std::string_view chip, std::string_view load) {
    return only_row(header, std::string(before) + "r,InferenceX dump," + std::string(engine) + ",deepseek-ai/DeepSeek-R1," +
                                std::string(chip) + ",fp8,fp8,agg,1024,1024," + std::string(load) +
                                ",8.0,1.0,1.0,8.0,1.0,,,,,,,,,,,100,10");
  };
  EXPECT_EQ(drafted("2026-02-05,,", "trtllm,1.2.0rc6.post3", "b200_sxm", "8.0,8.0").setup.draft, 3);
  EXPECT_EQ(drafted("2026-01-29,75,", "trtllm,1.2.0rc6.post2", "b200_sxm", "8.0,8.0").setup.draft, 0);
  EXPECT_EQ(drafted("2026-01-14,,", "trtllm,1.1.0rc2.post2", "h200_sxm", "8.0,8.0").setup.draft, 3);
  EXPECT_EQ(drafted("2025-12-15,181,", "trtllm,1.1.0rc2.post2", "h200_sxm", "8.0,8.0").setup.draft, 0);
  EXPECT_EQ(drafted("2026-03-25,,", "sglang,0.5.9", "b200_sxm", "256.0,256.0").setup.draft, 2);
  EXPECT_EQ(drafted("2026-03-25,87,", "sglang,0.5.9", "b200_sxm", "8.0,8.0").refusal, "");
  EXPECT_EQ(drafted("2026-03-25,,", "sglang,0.5.9", "b200_sxm", "8.0,8.0").refusal,
            "it is not stated whether it drafted, and its image ran both ways");
}

TEST(ServingRows, KnowHowTheirEngineWasStarted) {
  const auto row = [&](std::string_view engine, std::string_view rest) {
    const std::string line = std::string("r,InferenceX dump,") + std::string(engine) + "," + std::string(rest) + ",,,,,,,,,,,100,10";
    return only_row(sample_header, line).setup;
  };
  const std::string_view llama = "meta-llama/Llama-3.1-70B,h200_sxm,fp8,fp8,agg,1024,1024,16.0,16.0,4.0,1.0,1.0,4.0,1.0";
  EXPECT_EQ(row("trtllm,", llama).scheduling, (Scheduling{.whole_prompts = true, .wait_steps = 20, .wait_fill = 0.9}));
  EXPECT_EQ(row("vllm,", llama).scheduling, Scheduling{});
  const std::string_view deepseek = "deepseek-ai/DeepSeek-R1,b200_sxm,fp4,nvfp4,agg,1024,1024,";
  EXPECT_EQ(row("sglang,", std::string(deepseek) + "16.0,16.0,8.0,1.0,1.0,8.0,1.0").scheduling,
            (Scheduling{.prompts_alone = true, .poll_steps = 30}));
  EXPECT_EQ(row("trtllm,", std::string(deepseek) + "256.0,32.0,1.0,1.0,8.0,1.0,8.0").scheduling,
            (Scheduling{.whole_prompts = true, .balance_steps = 60}));
}

TEST(ServingRows, ReadStaticBatches) {
  const ServingRow splitwise =
      only_row("model,hardware,prompt_tokens,batch_size,output_tokens,prompt_time_ms,token_time_ms,tensor_parallel",
               "\nllama2-70b,a100-80gb,512,4,128,196.25,54.875,2");
  EXPECT_EQ(splitwise.refusal, "");
  EXPECT_EQ(splitwise.setup.load, Load::batch);
  EXPECT_EQ(splitwise.setup.layout.tp, 2);
  EXPECT_DOUBLE_EQ(splitwise.measured.tpot->in(unit::ms), 54.875);
  // 8 sequences of 20 tokens in 0.5 s on 4 x 2 chips: 40 tokens a second and chip.
  const ServingRow whole = only_row("model,implementation,hardware,dtype,tp,pp,batch_size,input_tokens,output_tokens,latency_ms",
                                    "\nGPT-175B,FasterTransformer,\"A100-80GB-SXM (DGX SuperPod, 8x200Gb IB)\",FP16,4,2,8,60,20,500");
  EXPECT_EQ(whole.refusal, "");
  EXPECT_DOUBLE_EQ(whole.measured.throughput->coherent(), 40);
  const ServingRow first = only_row(
      "model,gpu,precision_weights_and_kv,batch_size,tp,input_len_tokens,output_len_tokens,output_tokens_per_s_per_gpu,first_token_latency_"
      "ms",
      "\nLLaMA 70B,H100 SXM 80GB HBM3,fp8,1,8,128,,,31.5");
  EXPECT_EQ(first.refusal, "");
  EXPECT_EQ(first.setup.model, "meta-llama/Llama-2-70b-hf");
  EXPECT_EQ(first.setup.output, 1);
}

TEST(ServingRows, ReadLlamaCppWithTheModelTheRowDescribes) {
  const ServingRow row = only_row(
      "tool,model,dtype,kv_dtype_bytes,n_layer,d_model,d_ff,heads,kv_heads,vocab,threads,phase,batch,prompt_tokens,ctx,s_step_median",
      "\nllama-bench,s-f32,f32,2,12,768,2048,12,12,32000,2,decode,4,0,16,0.024");
  EXPECT_EQ(row.refusal, "");
  EXPECT_EQ(row.setup.prompt + row.setup.output / 2, 16) << "the mean context of its one step is the row's";
  const auto model = read_model(row.setup.model, row.setup.config);
  ASSERT_TRUE(model.has_value()) << model.error().line();
  // Embedding and head 2 x 32000 x 768; a layer 4 x 768^2 + 3 x 768 x 2048 + 2 norms of 768; the last norm.
  EXPECT_EQ(count_parameters(*model).total, 2 * 32000 * 768 + 12 * (4 * 768 * 768 + 3 * 768 * 2048 + 2 * 768) + 768);
}

TEST(ServingRows, ReadMlperfAndTheOverview) {
  constexpr std::string_view header =
      "division,platform,benchmark,benchmark_base,scenario,accelerator,total_accelerators,weight_dtype,tokens_per_s_per_accelerator,"
      "mean_output_tokens_per_sample,valid,software\n";
  const std::string rest = ",NVIDIA H100-SXM-80GB,8,fp8,3000,294,VALID,TensorRT 10.2.0";
  EXPECT_EQ(only_row(header, "open,p,llama2-70b-99,llama2-70b,Offline" + rest).refusal, "open division");
  EXPECT_EQ(only_row(header, "closed,p,llama2-70b-99,llama2-70b,Server" + rest).refusal,
            "its latency limit, not the system, sets its rate");
  const ServingRow row = only_row(header, "closed,p,llama2-70b-99,llama2-70b,Offline" + rest);
  EXPECT_EQ(row.refusal, "");
  EXPECT_TRUE(row.setup.layout_open);
  EXPECT_EQ(row.setup.chips(), 8);
  const ServingRow most = only_row(
      "trtllm_version,model,gpu,weight_precision,tp_or_ep_degree,parallel_kind,isl_tokens,osl_tokens,output_tokens_per_s_per_gpu\n",
      "0.17,LLaMA v3.1 8B,H200_SXM_141GB,FP8,1,TP,128,128,29526");
  EXPECT_EQ(most.refusal, "");
  EXPECT_EQ(most.setup.load, Load::saturated);
}

TEST(ServingRows, OfAnUnknownTableNameTheNearestOnesMissingColumns) {
  const auto rows = read_serving_rows("t.csv", "model,hardware,prompt_tokens,batch_size,output_tokens,prompt_time_ms,token_time_ms\n");
  ASSERT_FALSE(rows.has_value());
  EXPECT_EQ(rows.error().what, "is no table that is known; it comes nearest to splitwise, and has no column tensor_parallel");
  const auto none = read_serving_rows("t.csv", "colour,taste\nred,sweet\n");
  ASSERT_FALSE(none.has_value());
  EXPECT_EQ(none.error().what, "is no table of serving measurements that is known");
}

TEST(ServingRows, SayWhereACellIsDamaged) {
  const auto rows =
      read_serving_rows("t.csv", std::string(inferencex_header) +
                                     "dsr1,h200,sglang,fp8,none,false,false,8,1,false,1,eight,1,false,1,,1024,1024,64,0.01,800,\n");
  ASSERT_FALSE(rows.has_value());
  EXPECT_EQ(rows.error().where, "t.csv line 2, column decode_tp");
}

TEST(ServingNames, OfModelsAndSystemsStandInTheCatalogue) {
  const Catalogue& catalogue = Catalogue::built_in();
  for (const std::string_view system : serving::systems()) EXPECT_TRUE(catalogue.system(system).has_value()) << system;
  for (const serving::ModelChoice& choice : serving::models()) EXPECT_TRUE(catalogue.model(choice.model).has_value()) << choice.model;
}

}  // namespace
}  // namespace fareline
