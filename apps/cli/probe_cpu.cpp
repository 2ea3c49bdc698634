// SPDX-License-Identifier: Apache-2.0
// Measurements of a CPU. Products are oneDNN's, because it multiplies in FP32, BF16 and INT8, where OpenBLAS knows FP32 alone.
// Reading and attention of one query are loops of our own: no library has them.
#include <omp.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <oneapi/dnnl/dnnl.hpp>

#include "probe.h"

#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__)
#define FARELINE_VECTOR_CLONES __attribute__((target_clones("arch=skylake-avx512", "arch=haswell", "default"), noinline))
#else
#define FARELINE_VECTOR_CLONES __attribute__((noinline))
#endif

namespace {

using namespace fareline::cli;
using Clock = std::chrono::steady_clock;

double seconds_between(Clock::time_point a, Clock::time_point b) { return std::chrono::duration<double>(b - a).count(); }

constexpr std::size_t lanes = 16;
constexpr std::size_t mebibyte = 1u << 20;

float widened(float x) { return x; }
float widened(std::uint16_t bits) { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }

FARELINE_VECTOR_CLONES float sum_of(const float* from, std::size_t count) {
  float sum[4 * lanes] = {};
  for (std::size_t i = 0; i + 4 * lanes <= count; i += 4 * lanes)
    for (std::size_t lane = 0; lane < 4 * lanes; ++lane) sum[lane] += from[i + lane];
  float total = 0;
  for (const float s : sum) total += s;
  return total;
}

// Attention of `queries` that share a KV head over `context` entries of `width`: scores, soft-max, values.
template <class T>
[[gnu::always_inline]] inline void attend(const float* query, const T* key, const T* value, std::size_t queries, std::size_t width,
                                          std::size_t context, float* score, float* out) {
  for (std::size_t t = 0; t < context; ++t)
    for (std::size_t q = 0; q < queries; ++q) {
      float sum[lanes] = {};
      for (std::size_t i = 0; i < width; i += lanes)
        for (std::size_t lane = 0; lane < lanes; ++lane) sum[lane] += query[q * width + i + lane] * widened(key[t * width + i + lane]);
      float total = 0;
      for (const float s : sum) total += s;
      score[q * context + t] = total;
    }
  for (std::size_t q = 0; q < queries; ++q) {
    float* row = score + q * context;
    const float most = *std::max_element(row, row + context);
    float sum = 0;
    for (std::size_t t = 0; t < context; ++t) sum += row[t] = std::exp(row[t] - most);
    for (std::size_t t = 0; t < context; ++t) row[t] /= sum;
  }
  std::fill(out, out + queries * width, 0.0F);
  for (std::size_t t = 0; t < context; ++t)
    for (std::size_t q = 0; q < queries; ++q)
      for (std::size_t i = 0; i < width; ++i) out[q * width + i] += score[q * context + t] * widened(value[t * width + i]);
}
FARELINE_VECTOR_CLONES void attend_in(const float* query, const float* key, const float* value, std::size_t queries, std::size_t width,
                                      std::size_t context, float* score, float* out) {
  attend(query, key, value, queries, width, context, score, out);
}
FARELINE_VECTOR_CLONES void attend_in(const float* query, const std::uint16_t* key, const std::uint16_t* value, std::size_t queries,
                                      std::size_t width, std::size_t context, float* score, float* out) {
  attend(query, key, value, queries, width, context, score, out);
}

std::atomic<float> kept;  // what loops come to, so that none is left out

// Threads that run one task after the other together.
class Crew {
 public:
  explicit Crew(int size) : size_(size), begin_(size), end_(size) {
    for (int i = 1; i < size; ++i)
      members_.emplace_back([this, i] {
        for (;;) {
          begin_.arrive_and_wait();
          if (over_) return;
          (*task_)(i);
          end_.arrive_and_wait();
        }
      });
  }
  ~Crew() {
    over_ = true;
    begin_.arrive_and_wait();
    for (std::thread& member : members_) member.join();
  }
  void run(const std::function<void(int)>& task) {
    task_ = &task;
    begin_.arrive_and_wait();
    task(0);
    end_.arrive_and_wait();
  }
  int size() const { return size_; }

 private:
  int size_;
  std::barrier<> begin_, end_;
  bool over_ = false;
  const std::function<void(int)>* task_ = nullptr;
  std::vector<std::thread> members_;
};

struct Session {
  const ProbeAsk& ask;
  int cores;
  std::size_t cache;  // bytes of the last level
  double done = 0, steps = 1;

  bool stopped() const { return ask.stopped(ask.context); }
  void begin(const std::string& what) { ask.progress(ask.context, what.c_str(), std::min(1.0, done++ / steps)); }

  // Times `once`, run back to back so often that the clock's grain and one interruption do not matter, and hands the row over.
  void time(ProbeRow row, const std::function<void()>& once) const {
    const double at_least = ask.quick ? 0.02 : 0.15;
    const int fewest = ask.quick ? 3 : 7, most = ask.quick ? 9 : 51;
    once();
    const auto first = Clock::now();
    once();
    const double one = std::max(1e-9, seconds_between(first, Clock::now()));
    const int inside = static_cast<int>(std::clamp(1e-3 / one, 1.0, 20000.0));
    std::vector<double> times;
    const auto started = Clock::now();
    while (!stopped() && static_cast<int>(times.size()) < most &&
           (static_cast<int>(times.size()) < fewest || seconds_between(started, Clock::now()) < at_least)) {
      const auto from = Clock::now();
      for (int i = 0; i < inside; ++i) once();
      times.push_back(seconds_between(from, Clock::now()) / inside);
    }
    if (stopped() || times.empty()) return;
    std::sort(times.begin(), times.end());
    row.seconds = times.size() % 2 == 1 ? times[times.size() / 2] : (times[times.size() / 2 - 1] + times[times.size() / 2]) / 2;
    row.fastest = times.front();
    row.slowest = times.back();
    row.repeats = static_cast<int>(times.size());
    ask.row(ask.context, row);
  }

  std::vector<int> thread_counts() const {
    std::vector<int> counts;
    for (int t = 1; t < cores; t *= 2) counts.push_back(t);
    counts.push_back(cores);
    return counts;
  }
  // So many copies that what is read next has left the cache.
  std::size_t copies(std::size_t bytes) const { return std::max<std::size_t>(2, (4 * cache + bytes - 1) / bytes); }
};

std::string counted(int threads) { return threads == 1 ? "one thread" : std::to_string(threads) + " threads"; }

void measure_launches(Session& s) {
  for (const int threads : s.thread_counts()) {
    if (s.stopped()) return;
    s.begin("starting " + counted(threads));
    Crew crew(threads);
    const std::function<void(int)> nothing = [](int) {};
    s.time({.kernel = "elementwise", .format = "fp32", .stack = "own", .source = "threads started together and awaited", .threads = threads,
            .bytes = 0},
           [&] { crew.run(nothing); });
  }
}

void measure_reading(Session& s) {
  std::vector<std::size_t> sizes{mebibyte / 16, mebibyte, 4 * mebibyte};  // of one thread
  for (std::size_t all = 2 * s.cache; sizes.size() < (s.ask.quick ? 4u : 5u); all *= 4) sizes.push_back(all);
  const std::size_t most = sizes.back();
  std::vector<float> data(std::max(most, sizes[2] * static_cast<std::size_t>(s.cores)) / sizeof(float), 1.0F);
  for (const int threads : s.thread_counts()) {
    Crew crew(threads);
    for (std::size_t size : sizes) {
      if (s.stopped()) return;
      const auto team = static_cast<std::size_t>(threads);
      if (size <= 4 * mebibyte) size *= team;  // private caches add up
      s.begin("reading with " + counted(threads));
      const std::size_t each = size / sizeof(float) / team;
      const std::function<void(int)> read = [&](int i) { kept = sum_of(data.data() + static_cast<std::size_t>(i) * each, each); };
      s.time({.kernel = "elementwise", .format = "fp32", .stack = "own",
              .source = size > s.cache ? "the same bytes read again and again, more than the cache holds"
                                       : "the same bytes read again and again, within the cache",
              .threads = threads, .bytes = static_cast<double>(size)},
             [&] { crew.run(read); });
    }
  }
}

struct Number {
  const char* name;
  dnnl::memory::data_type source, weights, result;
  double bytes;
  unsigned char fill;
};

void measure_products(Session& s) {
  using Type = dnnl::memory::data_type;
  const Number numbers[] = {{"fp32", Type::f32, Type::f32, Type::f32, 4, 0x3C},
                            {"bf16", Type::bf16, Type::bf16, Type::f32, 2, 0x3C},
                            {"int8", Type::u8, Type::s8, Type::s32, 1, 0x03}};
  struct Shape {
    dnnl::memory::dim n, k;
  };
  std::vector<Shape> shapes{{2048, 2048}};
  if (!s.ask.quick) shapes.insert(shapes.end(), {{5632, 2048}, {1024, 4096}});
  const std::vector<dnnl::memory::dim> rows = s.ask.quick ? std::vector<dnnl::memory::dim>{1, 32, 128}
                                                         : std::vector<dnnl::memory::dim>{1, 2, 4, 8, 16, 32, 64, 128, 512};
  const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  for (const Number& number : numbers)
    for (const int threads : {1, s.cores}) {
      if (threads == 1 && s.cores == 1 && &number != numbers) continue;
      omp_set_num_threads(threads);
      dnnl::stream stream(engine);
      for (const Shape& shape : shapes) {
        const std::size_t bytes = static_cast<std::size_t>(static_cast<double>(shape.n * shape.k) * number.bytes);
        std::vector<dnnl::memory> weights;
        for (const auto m : rows) {
          if (s.stopped()) return;
          s.begin(std::string("products in ") + number.name);
          using Tag = dnnl::memory::format_tag;
          try {
            const dnnl::memory::desc source({m, shape.k}, number.source, Tag::ab), any({shape.k, shape.n}, number.weights, Tag::any),
                result({m, shape.n}, number.result, Tag::ab);
            const dnnl::matmul::primitive_desc chosen(dnnl::matmul::desc(source, any, result), engine);
            if (weights.empty() || weights.front().get_desc() != chosen.weights_desc()) {
              weights.clear();
              for (std::size_t i = 0; i < s.copies(bytes); ++i) {
                weights.emplace_back(chosen.weights_desc(), engine);
                std::memset(weights.back().get_data_handle(), number.fill, chosen.weights_desc().get_size());
              }
            }
            dnnl::memory from(source, engine), to(result, engine);
            std::memset(from.get_data_handle(), number.fill, source.get_size());
            const dnnl::matmul multiply(chosen);
            std::size_t turn = 0;
            s.time({.kernel = "gemm", .format = number.name, .stack = "onednn",
                    .source = "oneDNN matmul, weights laid out as it asks, cold",
                    .threads = threads, .m = static_cast<double>(m), .n = static_cast<double>(shape.n), .k = static_cast<double>(shape.k),
                    .flop = 2.0 * static_cast<double>(m * shape.n * shape.k)},
                   [&] {
                     const dnnl::memory& next = weights[turn++ % weights.size()];
                     multiply.execute(stream, {{DNNL_ARG_SRC, from}, {DNNL_ARG_WEIGHTS, next}, {DNNL_ARG_DST, to}});
                     stream.wait();
                   });
          } catch (const dnnl::error& error) {
            if (threads == 1 && m == rows.front() && &shape == &shapes.front())
              s.ask.note(s.ask.context, (std::string("oneDNN does not multiply in ") + number.name + " on this CPU (" +
                                         (error.status == dnnl_unimplemented ? "not implemented" : error.what()) + ")").c_str());
          }
        }
      }
    }
  omp_set_num_threads(s.cores);
}

struct Heads {
  std::size_t queries, kept, width;
};

template <class T>
void measure_decode(Session& s, const char* format, T one) {
  const Heads all[] = {{32, 8, 128}, {16, 16, 64}};
  const std::vector<std::size_t> contexts = s.ask.quick ? std::vector<std::size_t>{1024} : std::vector<std::size_t>{256, 1024, 4096},
                                 batches = s.ask.quick ? std::vector<std::size_t>{1} : std::vector<std::size_t>{1, 8};
  for (const int threads : {1, s.cores}) {
    if (threads == 1 && s.cores == 1) continue;
    Crew crew(threads);
    for (const Heads& heads : all)
      for (const std::size_t batch : batches)
        for (const std::size_t context : contexts) {
          if (s.stopped()) return;
          s.begin(std::string("attention of one query, KV in ") + format);
          const std::size_t entries = batch * heads.kept * context * heads.width, group = heads.queries / heads.kept;
          const std::size_t copies = s.copies(2 * entries * sizeof(T));
          const std::vector<T> kv(2 * entries * copies, one);
          const std::vector<float> query(batch * heads.queries * heads.width, 0.1F);
          std::vector<float> out(query.size()), scores(static_cast<std::size_t>(threads) * group * context);
          std::size_t turn = 0;
          const std::function<void(int)> work = [&](int i) {
            const T* key = kv.data() + 2 * entries * (turn % copies);
            for (std::size_t unit = static_cast<std::size_t>(i); unit < batch * heads.kept; unit += static_cast<std::size_t>(threads)) {
              const std::size_t at = unit * context * heads.width, q = unit * group * heads.width;
              attend_in(query.data() + q, key + at, key + entries + at, group, heads.width, context,
                        scores.data() + static_cast<std::size_t>(i) * group * context, out.data() + q);
            }
          };
          s.time({.kernel = "attention_decode", .format = format, .stack = "own",
                  .source = "scores, soft-max, values: one query a sequence, cold KV",
                  .threads = threads, .batch = static_cast<double>(batch), .heads = static_cast<double>(heads.queries),
                  .kv_heads = static_cast<double>(heads.kept), .head_dim = static_cast<double>(heads.width),
                  .context = static_cast<double>(context),
                  .flop = 4.0 * static_cast<double>(batch * heads.queries * context * heads.width)},
                 [&] {
                   crew.run(work);
                   ++turn;
                 });
        }
  }
}

// Scores and values of blocks of queries as oneDNN's products, a head a thread; blocks above the diagonal are left out.
void measure_prefill(Session& s) {
  const Heads all[] = {{32, 8, 128}, {16, 16, 64}};
  constexpr std::size_t block = 128;
  const std::vector<std::size_t> lengths = s.ask.quick ? std::vector<std::size_t>{256} : std::vector<std::size_t>{128, 512, 1024};
  for (const int threads : {1, s.cores}) {
    if (threads == 1 && s.cores == 1) continue;
    Crew crew(threads);
    for (const Heads& heads : all)
      for (const std::size_t tokens : lengths) {
        if (s.stopped()) return;
        s.begin("attention of many queries");
        const auto span = [&](std::size_t count) { return std::vector<float>(count * tokens * heads.width, 0.1F); };
        const std::vector<float> query = span(heads.queries), key = span(heads.kept), value = span(heads.kept);
        std::vector<float> out = span(heads.queries), scores(static_cast<std::size_t>(threads) * block * tokens);
        const auto dim = [](std::size_t x) { return static_cast<dnnl_dim_t>(x); };
        const std::function<void(int)> work = [&](int i) {
          omp_set_num_threads(1);  // of this thread: heads are dealt to threads, not products
          float* score = scores.data() + static_cast<std::size_t>(i) * block * tokens;
          for (std::size_t h = static_cast<std::size_t>(i); h < heads.queries; h += static_cast<std::size_t>(threads)) {
            const std::size_t from = h * tokens * heads.width, kv = h * heads.kept / heads.queries * tokens * heads.width;
            for (std::size_t first = 0; first < tokens; first += block) {
              const std::size_t count = std::min(block, tokens - first), seen = first + count;
              dnnl_sgemm('N', 'T', dim(count), dim(seen), dim(heads.width), 0.1F, query.data() + from + first * heads.width,
                         dim(heads.width), key.data() + kv, dim(heads.width), 0, score, dim(seen));
              for (std::size_t r = 0; r < count; ++r) {
                float* row = score + r * seen;
                const std::size_t mine = first + r + 1;
                const float most = *std::max_element(row, row + mine);
                float sum = 0;
                for (std::size_t t = 0; t < mine; ++t) sum += row[t] = std::exp(row[t] - most);
                for (std::size_t t = 0; t < mine; ++t) row[t] /= sum;
                std::fill(row + mine, row + seen, 0.0F);
              }
              dnnl_sgemm('N', 'N', dim(count), dim(heads.width), dim(seen), 1, score, dim(seen), value.data() + kv, dim(heads.width), 0,
                         out.data() + from + first * heads.width, dim(heads.width));
            }
          }
        };
        s.time({.kernel = "attention_prefill", .format = "fp32", .stack = "onednn",
                .source = "oneDNN sgemm a block of 128 queries and head, soft-max of our own", .threads = threads, .batch = 1,
                .heads = static_cast<double>(heads.queries), .kv_heads = static_cast<double>(heads.kept),
                .head_dim = static_cast<double>(heads.width), .tokens = static_cast<double>(tokens),
                .flop = 2.0 * static_cast<double>(heads.queries * tokens * (tokens + 1) * heads.width)},
               [&] { crew.run(work); });
      }
  }
  omp_set_num_threads(s.cores);
}

void describe(ProbeDevice& device, int cores) {
  std::ifstream info("/proc/cpuinfo");
  std::string title = "a CPU", vendor = "unknown";
  for (std::string line; std::getline(info, line);) {
    const auto colon = line.find(": ");
    if (colon == std::string::npos) continue;
    if (line.starts_with("model name")) title = line.substr(colon + 2);
    if (line.starts_with("vendor_id")) vendor = line.substr(colon + 2);
  }
  if (vendor == "AuthenticAMD") vendor = "AMD";
  if (vendor == "GenuineIntel") vendor = "Intel";
  const auto copy = [](char* to, std::size_t size, const std::string& text) {
    std::strncpy(to, text.c_str(), size - 1);
    to[size - 1] = '\0';
  };
  copy(device.title, sizeof device.title, title);
  copy(device.vendor, sizeof device.vendor, vendor);
  copy(device.family, sizeof device.family, "cpu");
  device.cores = cores;
  device.memory_bytes = static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGE_SIZE));
  device.usable_bytes = device.memory_bytes;
}

int cores_allowed() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace

extern "C" int fareline_probe(const ProbeAsk* ask, ProbeDevice* device) {
  const int cores = cores_allowed();
  describe(*device, cores);
  const long level3 = sysconf(_SC_LEVEL3_CACHE_SIZE);
  const std::size_t cache = std::clamp<std::size_t>(level3 > 0 ? static_cast<std::size_t>(level3) : 0, 16 * mebibyte, 64 * mebibyte);
  Session session{.ask = *ask, .cores = cores, .cache = cache};
  const double counts = static_cast<double>(session.thread_counts().size());
  session.steps = ask->quick ? counts * 5 + 18 + 8 + 4 : counts * 6 + 162 + 48 + 12;
  measure_launches(session);
  measure_reading(session);
  measure_products(session);
  measure_decode(session, "fp32", 0.1F);
  measure_decode(session, "bf16", static_cast<std::uint16_t>(0x3DCC));
  measure_prefill(session);
  return 0;
}
