// SPDX-License-Identifier: Apache-2.0
#include "catalog/calibration.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <rapidcheck.h>

namespace fareline {
namespace {

using nlohmann::json;

json entry(const char* kernel, const char* format, double peak_share) {
  return {{"kernel", kernel}, {"format", format}, {"peak_share", peak_share}, {"bandwidth_share", 0.8}, {"latency", "3 us"},
          {"serial_share", 0.1}, {"tile", 64}, {"fitted", true}};
}

json small_calibration() {
  const json band = {{"low", 0.8}, {"high", 1.25}};
  return {{"name", "test"}, {"title", "A test"}, {"chip", "*"}, {"stack", "*"}, {"evidence", "none"}, {"source", "none"},
          {"kernels", json::array({entry("*", "*", 0.5)})},
          {"engine", {{"step", "1 ms"}, {"sequence", "5 us"}, {"prompt", "2 ms"}, {"collective_overlap", 0.25}, {"launch_share", 0.5}}},
          {"bands", {{"pass", band}, {"tpot", band}, {"ttft", band}, {"throughput", band}}}};
}

std::string error_of(const json& calibration) {
  const auto read = read_calibration("calibrations/t.json", calibration.dump());
  return read ? "" : read.error().line();
}

TEST(Calibration, LetsTheEntryThatNamesMoreHoldInWhateverOrder) {
  json file = small_calibration();
  file["kernels"] = json::array({entry("gemm", "fp8", 0.9), entry("gemm", "*", 0.8), entry("*", "fp8", 0.7), entry("*", "*", 0.5)});
  const auto read = read_calibration("calibrations/t.json", file.dump());
  ASSERT_TRUE(read.has_value()) << read.error().line();
  EXPECT_EQ(read->at(Kernel::gemm, Format::fp8).peak_share, 0.9);
  EXPECT_EQ(read->at(Kernel::gemm, Format::bf16).peak_share, 0.8);
  EXPECT_EQ(read->at(Kernel::recurrent_decode, Format::fp8).peak_share, 0.7);
  EXPECT_EQ(read->at(Kernel::recurrent_decode, Format::bf16).peak_share, 0.5);
  EXPECT_EQ(read->at(Kernel::recurrent_decode, Format::bf16).latency, 3 * unit::us);
  EXPECT_EQ(read->engine.collective_overlap, 0.25);
  EXPECT_EQ(read->engine.launch_share, 0.5);
}

TEST(Calibration, KeepsWhatProductsOfFewRowsAndPartVectorsCost) {
  json file = small_calibration();
  file["kernels"][0]["tiled_from"] = 2;
  file["kernels"][0]["vector_dims"] = 64;
  file["kernels"][0]["tail_dims"] = 128;
  const auto read = read_calibration("calibrations/t.json", file.dump());
  ASSERT_TRUE(read.has_value()) << read.error().line();
  EXPECT_EQ(read->at(Kernel::gemm, Format::fp16).tiled_from, 2);
  const auto again = read_calibration("calibrations/t.json", write_calibration(*read));
  ASSERT_TRUE(again.has_value()) << again.error().line();
  EXPECT_EQ(again->at(Kernel::attention_decode, Format::fp16), read->at(Kernel::attention_decode, Format::fp16));
  file["kernels"][0]["tail_dims"] = -1;
  EXPECT_FALSE(read_calibration("calibrations/t.json", file.dump()).has_value());
}

TEST(Calibration, IsRefusedWithAKernelLeftOut) {
  json file = small_calibration();
  file["kernels"] = json::array({entry("gemm", "*", 0.5)});
  EXPECT_EQ(error_of(file),
            "calibrations/t.json: kernels: there is no entry for kernel attention_prefill and format fp64; add it, or one with \"*\" for "
            "the kernel or the format");
}

TEST(Calibration, IsRefusedWithTwoEntriesForTheSame) {
  json file = small_calibration();
  file["kernels"].push_back(entry("*", "*", 0.6));
  EXPECT_EQ(error_of(file), "calibrations/t.json: kernels[1]: there are two entries for kernel * and format *; keep one of them");
}

TEST(Calibration, IsRefusedWithAKernelOrFormatNobodyKnows) {
  json file = small_calibration();
  file["kernels"][0]["kernel"] = "gem";
  EXPECT_EQ(error_of(file), "calibrations/t.json: kernels[0].kernel: there is no kernel \"gem\"; did you mean gemm, grouped_gemm?");
}

TEST(Calibration, IsRefusedWithSharesAndBandsThatCannotBe) {
  json file = small_calibration();
  file["kernels"][0]["peak_share"] = 0;
  EXPECT_EQ(error_of(file).find("calibrations/t.json: kernels[0].peak_share: 0 is not a number from"), 0u) << error_of(file);
  file = small_calibration();
  file["kernels"][0]["bandwidth_share"] = 1.01;
  EXPECT_EQ(error_of(file).find("calibrations/t.json: kernels[0].bandwidth_share: 1.01 is not a number from"), 0u) << error_of(file);
  file = small_calibration();
  file["kernels"][0]["latency"] = "-1 us";
  EXPECT_EQ(error_of(file), "calibrations/t.json: kernels[0].latency: \"-1 us\" is negative; write a value from 0 s to 10 s");
  file = small_calibration();
  file["bands"]["tpot"]["low"] = 1.1;
  EXPECT_EQ(error_of(file).find("calibrations/t.json: bands.tpot.low: 1.1 is not a number from"), 0u) << error_of(file);
  file = small_calibration();
  file["bands"]["tpot"]["high"] = 0.9;
  EXPECT_EQ(error_of(file), "calibrations/t.json: bands.tpot.high: 0.9 is not a number from 1 to 1,000; write it without quotes or unit");
}

Seconds any_time() { return *rc::gen::inRange(0, 1'000'000) / 7.0 * unit::ns; }

Efficiency any_efficiency() {
  const auto share = [] { return 1.0 / *rc::gen::inRange(1, 1000); };
  return {.peak_share = share(),
          .bandwidth_share = share(),
          .latency = any_time(),
          .serial_share = share(),
          .tile = *rc::gen::inRange(1, 512),
          .item_time = any_time(),
          .depth_time = any_time(),
          .depth_most = *rc::gen::element(0.0, 1.0, 4096.0),
          .softmax_dims = *rc::gen::inRange(0, 300) / 7.0,
          .peer_latency = any_time(),
          .second_latency = any_time(),
          .second_share = share(),
          .fitted = *rc::gen::arbitrary<bool>()};
}

TEST(Calibration, WrittenAndReadAgainIsTheSameToTheBit) {
  EXPECT_TRUE(rc::check([] {
    Calibration before{.name = "n",
                       .title = "t",
                       .chip = "h100-sxm",
                       .stack = "vllm-0.11",
                       .evidence = "e",
                       .source = "s",
                       .kernels = {},
                       .engine = {.step = 1.0 / *rc::gen::inRange(1, 1000) * unit::s,
                                  .sequence = 0.3 * unit::us,
                                  .launch_share = 0.75,
                                  .prompt = 2.1 * unit::ms,
                                  .collective_overlap = 0.5},
                       .pass = {0.7, 1.3},
                       .tpot = {1, 1},
                       .ttft = {0.1, 3},
                       .throughput = {0.9, 1.1}};
    const Efficiency common = any_efficiency();
    for (auto& kernel : before.kernels)
      for (Efficiency& efficiency : kernel) efficiency = *rc::gen::inRange(0, 4) == 0 ? any_efficiency() : common;
    const auto after = read_calibration("calibrations/t.json", write_calibration(before));
    RC_ASSERT(after.has_value());
    RC_ASSERT(after->kernels == before.kernels);
    RC_ASSERT(after->engine == before.engine);
    RC_ASSERT(after->pass == before.pass && after->tpot == before.tpot && after->ttft == before.ttft &&
              after->throughput == before.throughput);
    RC_ASSERT(after->name == before.name && after->chip == before.chip && after->stack == before.stack);
  }));
}

}  // namespace
}  // namespace fareline
