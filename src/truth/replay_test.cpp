// SPDX-License-Identifier: Apache-2.0
// Published traces read as traffic.
#include <set>

#include <gtest/gtest.h>
#include <zlib.h>

#include "sim/traffic_trace.h"
#include "tests/place.h"
#include "truth/gzip_bytes.h"

namespace fareline {
namespace {

std::unique_ptr<ByteSource> bytes_of(std::string_view text, std::size_t piece = 4096) {
  return inflated(std::make_unique<TextBytes>(text, piece));
}

struct Sums {
  long requests = 0, prompt = 0, output = 0, blocks = 0;
  std::set<std::uint64_t> distinct;
  Seconds last;
};
Sums sums_of(const char* name, TraceChoice choice = {}) {
  const std::string text = test::file_text(*test::shared_folder() / "data/dev" / name);
  auto trace = TraceTraffic::open(name, bytes_of(text), std::move(choice));
  Sums sums;
  if (!trace) {
    ADD_FAILURE() << trace.error().line();
    return sums;
  }
  while (const auto request = (*trace)->next()) {
    ++sums.requests;
    sums.prompt += request->prompt;
    sums.output += request->output;
    sums.blocks += static_cast<long>(request->blocks.size());
    sums.distinct.insert(request->blocks.begin(), request->blocks.end());
    sums.last = request->arrival;
  }
  EXPECT_EQ((*trace)->failed(), nullptr) << (*trace)->failed()->line();
  return sums;
}

// Rows and lengths as the folder's README states them, sums as `zcat FILE | awk -F, '{p += $3}'` adds them.
TEST(Replay, AzuresCodeTraceIsAnHourLong) {
  if (!test::shared_folder()) GTEST_SKIP() << "no ../shared";
  const Sums sums = sums_of("trace_azure2023_code.csv.gz");
  EXPECT_EQ(sums.requests, 8819);
  EXPECT_NEAR(sums.last.in(unit::hour), 0.95, 0.05);
}

TEST(Replay, MooncakesTraceSharesBlocks) {
  if (!test::shared_folder()) GTEST_SKIP() << "no ../shared";
  const Sums sums = sums_of("trace_mooncake_synthetic.csv.gz");
  EXPECT_EQ(sums.requests, 3993);
  EXPECT_LT(sums.distinct.size(), static_cast<std::size_t>(sums.blocks));
  // A prompt has its tokens over 512, rounded up, blocks.
  EXPECT_GE(sums.blocks * 512, sums.prompt);
  EXPECT_LT(sums.blocks * 512, sums.prompt + 512 * sums.requests);
}

TEST(Replay, ConversationsAreReadAWorkloadAtATime) {
  if (!test::shared_folder()) GTEST_SKIP() << "no ../shared";
  const char* name = "trace_sharegpt_llmservingsim.csv.gz";
  EXPECT_EQ(sums_of(name, {.column = "workload", .value = "sharegpt-llama-3.1-8b-300-sps10.jsonl"}).requests, 300);
}

TEST(Replay, LengthsOfSummariesCanBeDrawnFrom) {
  if (!test::shared_folder()) GTEST_SKIP() << "no ../shared";
  const std::string text = test::file_text(*test::shared_folder() / "data/dev/trace_arxiv_summarization_lengths.csv.gz");
  const auto columns = read_lengths("arxiv", bytes_of(text));
  ASSERT_TRUE(columns) << columns.error().line();
  EXPECT_EQ((*columns)[0].size(), 28257u);
}

std::string packed(std::string_view text) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  std::string out(text.size() + 1000, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(out.size() - stream.avail_out);
  deflateEnd(&stream);
  return out;
}

std::string failure_of(std::string_view bytes, std::size_t piece) {
  auto trace = TraceTraffic::open("trace.csv.gz", bytes_of(bytes, piece));
  if (!trace) return trace.error().line();
  while ((*trace)->next()) {}
  return (*trace)->failed() ? (*trace)->failed()->line() : "";
}

TEST(Gzip, ThatIsCutShortOrDamagedIsRefusedWithItsLine) {
  std::string text = "arrival,prompt,output\n";
  for (int i = 0; i < 5000; ++i) text += std::to_string(i) + "," + std::to_string(i * i % 977) + ",3\n";
  const std::string whole = packed(text);
  for (const std::size_t piece : {std::size_t{1}, std::size_t{100}, std::size_t{1} << 20}) {
    EXPECT_EQ(failure_of(whole, piece), "");
    EXPECT_EQ(failure_of(whole + whole, piece), "trace.csv.gz line 5002: prompt is \"prompt\", no whole number; write a count of tokens"
                                                    ) << "two members are one file, whose second header is no request";
    const std::string cut = failure_of(std::string_view(whole).substr(0, whole.size() / 2), piece);
    EXPECT_TRUE(cut.starts_with("trace.csv.gz line ")) << cut;
    EXPECT_TRUE(cut.ends_with("the gzip is damaged or cut short; fetch the file again")) << cut;
    EXPECT_TRUE(failure_of(std::string_view(whole).substr(0, whole.size() - 1), piece).ends_with("fetch the file again"));
  }
  std::string flipped = whole;
  flipped[flipped.size() - 6] = static_cast<char>(flipped[flipped.size() - 6] ^ 1);  // in the checksum
  EXPECT_TRUE(failure_of(flipped, 64).ends_with("the gzip is damaged or cut short; fetch the file again"));
}

}  // namespace
}  // namespace fareline
