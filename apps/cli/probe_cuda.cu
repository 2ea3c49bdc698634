// SPDX-License-Identifier: Apache-2.0
// Measurements of an NVIDIA GPU: copies, cuBLAS products, reads as paged attention of one query makes them, launches.
#include <cublas_v2.h>
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "probe.h"

namespace {

using namespace fareline::cli;

constexpr int page_tokens = 16;

__global__ void nothing() {}

__global__ void copy_words(const float4* from, float4* to, std::size_t count) {
  const std::size_t step = static_cast<std::size_t>(gridDim.x) * blockDim.x;
  for (std::size_t i = static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step) to[i] = from[i];
}

// One block a sequence, KV head and part of the context: scores of `group` queries over its pages, soft-max, values. Keys and values
// of a page lie together: [page][key, value][token][dimension].
template <int group>
__global__ void paged_decode(const __nv_bfloat16* pages, const int* table, const float* query, float* out, int width, int context,
                             int kv_heads, int parts) {
  const int sequence = blockIdx.x, head = blockIdx.y, part = blockIdx.z, lane = threadIdx.x % 32, warp = threadIdx.x / 32,
            warps = blockDim.x / 32;
  const int pages_here = (context + page_tokens - 1) / page_tokens, each = (pages_here + parts - 1) / parts;
  const float* q = query + (static_cast<std::size_t>(sequence) * kv_heads + head) * group * width;
  float sum[group] = {}, most[group], value[group][4] = {};
  for (int g = 0; g < group; ++g) most[g] = -1e30F;
  for (int page = part * each + warp; page < min(pages_here, (part + 1) * each); page += warps) {
    const std::size_t at =
        (static_cast<std::size_t>(table[sequence * pages_here + page]) * kv_heads + head) * 2 * page_tokens * width;
    for (int token = 0; token < page_tokens && page * page_tokens + token < context; ++token) {
      float key[4], held[4];
      for (int i = 0; i < 4; ++i) {
        const int d = lane + 32 * i;
        key[i] = d < width ? __bfloat162float(pages[at + static_cast<std::size_t>(token) * width + d]) : 0.0F;
        held[i] = d < width ? __bfloat162float(pages[at + static_cast<std::size_t>(page_tokens + token) * width + d]) : 0.0F;
      }
      for (int g = 0; g < group; ++g) {
        float score = 0;
        for (int i = 0; i < 4; ++i)
          if (lane + 32 * i < width) score += q[g * width + lane + 32 * i] * key[i];
        for (int offset = 16; offset > 0; offset /= 2) score += __shfl_xor_sync(0xFFFFFFFFu, score, offset);
        const float higher = fmaxf(most[g], score), shrink = __expf(most[g] - higher), weight = __expf(score - higher);
        most[g] = higher;
        sum[g] = sum[g] * shrink + weight;
        for (int i = 0; i < 4; ++i) value[g][i] = value[g][i] * shrink + weight * held[i];
      }
    }
  }
  for (int g = 0; g < group; ++g)
    for (int i = 0; i < 4; ++i)
      if (lane + 32 * i < width)
        atomicAdd(out + ((static_cast<std::size_t>(sequence) * kv_heads + head) * group + g) * width + lane + 32 * i,
                  value[g][i] / fmaxf(sum[g], 1e-20F));
}

// Memory of the device, given back.
struct Buffer {
  void* at = nullptr;
  explicit Buffer(std::size_t bytes) {
    if (cudaMalloc(&at, bytes) != cudaSuccess) at = nullptr;
  }
  ~Buffer() { cudaFree(at); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  template <class T>
  T* as() const { return static_cast<T*>(at); }
};

struct Session {
  const ProbeAsk& ask;
  cudaDeviceProp facts{};
  std::size_t cache = 0;
  double done = 0, steps = 1;

  bool stopped() const { return ask.stopped(ask.context); }
  void begin(const std::string& what) { ask.progress(ask.context, what.c_str(), std::min(1.0, done++ / steps)); }
  void note(const std::string& what) const { ask.note(ask.context, what.c_str()); }
  std::size_t copies(std::size_t bytes) const { return std::max<std::size_t>(2, (4 * cache + bytes - 1) / bytes); }

  // Times `once`, back to back, between two events. Returns false where the device refused.
  bool time(ProbeRow row, const std::function<bool()>& once) const {
    const int fewest = ask.quick ? 3 : 11, most = ask.quick ? 9 : 31;
    cudaEvent_t from, to;
    cudaEventCreate(&from);
    cudaEventCreate(&to);
    std::vector<double> times;
    bool well = true;
    const auto run = [&](int inside) {
      cudaEventRecord(from);
      for (int i = 0; i < inside && well; ++i) well = once();
      cudaEventRecord(to);
      if (cudaEventSynchronize(to) != cudaSuccess || cudaGetLastError() != cudaSuccess) well = false;
      float ms = 0;
      cudaEventElapsedTime(&ms, from, to);
      return 1e-3 * ms / inside;
    };
    run(3);
    const double one = std::max(1e-7, run(3));
    const int inside = static_cast<int>(std::min(1000.0, std::max(1.0, 1e-3 / one)));
    double total = 0;
    while (well && !stopped() && static_cast<int>(times.size()) < most && (static_cast<int>(times.size()) < fewest || total < 0.05)) {
      times.push_back(run(inside));
      total += times.back() * inside;
    }
    cudaEventDestroy(from);
    cudaEventDestroy(to);
    if (!well || stopped() || times.empty()) return well;
    std::sort(times.begin(), times.end());
    row.seconds = times[times.size() / 2];
    row.fastest = times.front();
    row.slowest = times.back();
    row.repeats = static_cast<int>(times.size());
    ask.row(ask.context, row);
    return true;
  }
};

ProbeRow row_of(const char* kernel, const char* format, const char* stack, const char* source) {
  ProbeRow row;
  row.kernel = kernel;
  row.format = format;
  row.stack = stack;
  row.source = source;
  return row;
}

void measure_launches(Session& s) {
  s.begin("launching");
  ProbeRow row = row_of("elementwise", "bf16", "cuda", "an empty kernel, back to back");
  row.bytes = 0;
  s.time(row, [] {
    nothing<<<1, 32>>>();
    return true;
  });
}

void measure_copies(Session& s) {
  const std::size_t most = std::min<std::size_t>(std::size_t{1} << 30, s.facts.totalGlobalMem / 8);
  const Buffer from(most), to(most);
  if (!from.at || !to.at) return s.note("copies: the device has no memory left");
  for (std::size_t bytes = s.ask.quick ? std::size_t{1} << 24 : std::size_t{1} << 16; bytes <= most; bytes *= s.ask.quick ? 8 : 4) {
    if (s.stopped()) return;
    s.begin("copying");
    ProbeRow row = row_of("elementwise", "bf16", "cuda", "a kernel that copies: bytes read and bytes written");
    row.bytes = 2.0 * static_cast<double>(bytes);
    s.time(row, [&] {
      copy_words<<<4 * s.facts.multiProcessorCount, 512>>>(from.as<float4>(), to.as<float4>(), bytes / sizeof(float4));
      return true;
    });
  }
}

struct Number {
  const char* name;
  cudaDataType_t in, out;
  cublasComputeType_t compute;
  std::size_t bytes, out_bytes;
};

void measure_products(Session& s) {
  const Number numbers[] = {{"fp32", CUDA_R_32F, CUDA_R_32F, CUBLAS_COMPUTE_32F_PEDANTIC, 4, 4},
                            {"tf32", CUDA_R_32F, CUDA_R_32F, CUBLAS_COMPUTE_32F_FAST_TF32, 4, 4},
                            {"bf16", CUDA_R_16BF, CUDA_R_16BF, CUBLAS_COMPUTE_32F, 2, 2},
                            {"fp16", CUDA_R_16F, CUDA_R_16F, CUBLAS_COMPUTE_32F, 2, 2},
                            {"int8", CUDA_R_8I, CUDA_R_32I, CUBLAS_COMPUTE_32I, 1, 4}};
  struct Shape {
    int n, k;
  };
  std::vector<Shape> shapes{{4096, 4096}};
  if (!s.ask.quick) shapes.insert(shapes.end(), {{1024, 8192}, {8192, 1024}, {28672, 8192}});
  const std::vector<int> rows = s.ask.quick ? std::vector<int>{16, 256, 4096}
                                            : std::vector<int>{1, 4, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192};
  cublasHandle_t library;
  if (cublasCreate(&library) != CUBLAS_STATUS_SUCCESS) return s.note("cuBLAS cannot be started");
  for (const Number& number : numbers)
    for (const Shape& shape : shapes) {
      const std::size_t weight_bytes = static_cast<std::size_t>(shape.n) * static_cast<std::size_t>(shape.k) * number.bytes;
      const std::size_t copies = s.copies(weight_bytes);
      const Buffer weights(copies * weight_bytes),
          in(static_cast<std::size_t>(rows.back()) * static_cast<std::size_t>(shape.k) * number.bytes),
          out(static_cast<std::size_t>(rows.back()) * static_cast<std::size_t>(shape.n) * number.out_bytes);
      if (!weights.at || !in.at || !out.at) {
        s.note("products: the device has no memory left");
        continue;
      }
      cudaMemset(weights.at, 0, copies * weight_bytes);
      cudaMemset(in.at, 0, static_cast<std::size_t>(rows.back()) * static_cast<std::size_t>(shape.k) * number.bytes);
      bool multiplies = true;
      for (const int m : rows) {
        if (s.stopped() || !multiplies) break;
        s.begin(std::string("products in ") + number.name);
        const float one = 1, zero = 0;
        const int whole_one = 1, whole_zero = 0;
        const bool whole = number.compute == CUBLAS_COMPUTE_32I;
        const int padded = whole ? (m + 3) / 4 * 4 : m;  // INT8 products want multiples of four
        std::size_t turn = 0;
        ProbeRow row = row_of("gemm", number.name, "cublas", "cublasGemmEx, weights cold");
        row.m = m;
        row.n = shape.n;
        row.k = shape.k;
        row.flop = 2.0 * m * shape.n * shape.k;
        multiplies = s.time(row, [&] {
          const void* weight = weights.as<char>() + (turn++ % copies) * weight_bytes;
          return cublasGemmEx(library, CUBLAS_OP_T, CUBLAS_OP_N, shape.n, padded, shape.k,
                              whole ? static_cast<const void*>(&whole_one) : &one, weight, number.in, shape.k, in.at, number.in, shape.k,
                              whole ? static_cast<const void*>(&whole_zero) : &zero,
                              out.at, number.out, shape.n, number.compute, CUBLAS_GEMM_DEFAULT) == CUBLAS_STATUS_SUCCESS;
        });
        if (!multiplies) s.note(std::string("cuBLAS does not multiply in ") + number.name + " on this GPU");
      }
    }
  s.note("FP8 and FP4 products are not measured: cublasGemmEx has none");
  cublasDestroy(library);
}

void measure_decode(Session& s) {
  constexpr int kv_heads = 8, width = 128, group = 4, threads = 256;
  const std::vector<int> contexts = s.ask.quick ? std::vector<int>{4096} : std::vector<int>{512, 2048, 8192, 32768},
                         batches = s.ask.quick ? std::vector<int>{16} : std::vector<int>{1, 8, 32, 128};
  for (const int batch : batches)
    for (const int context : contexts) {
      if (s.stopped()) return;
      s.begin("attention of one query over pages");
      const int pages = (context + page_tokens - 1) / page_tokens;
      const std::size_t bytes = static_cast<std::size_t>(batch) * static_cast<std::size_t>(pages) * kv_heads * 2 * page_tokens * width * 2;
      if (bytes > s.facts.totalGlobalMem / 2) continue;
      const std::size_t total = static_cast<std::size_t>(batch) * static_cast<std::size_t>(pages);
      const Buffer kv(bytes), table(total * sizeof(int)), query(static_cast<std::size_t>(batch) * kv_heads * group * width * 4),
          out(static_cast<std::size_t>(batch) * kv_heads * group * width * 4);
      if (!kv.at || !table.at || !query.at || !out.at) {
        s.note("attention: the device has no memory left");
        continue;
      }
      cudaMemset(kv.at, 0, bytes);
      cudaMemset(query.at, 0, static_cast<std::size_t>(batch) * kv_heads * group * width * 4);
      std::vector<int> scattered(total);
      for (std::size_t i = 0; i < total; ++i) scattered[i] = static_cast<int>((i * 7919) % total);  // pages as an old cache deals them
      cudaMemcpy(table.at, scattered.data(), total * sizeof(int), cudaMemcpyHostToDevice);
      const int parts = std::max(1, std::min(pages / 8, 4 * s.facts.multiProcessorCount / std::max(1, batch * kv_heads)));
      ProbeRow row = row_of("attention_decode", "bf16", "own", "32 queries over 8 KV heads, pages of 16 tokens dealt at random");
      row.batch = batch;
      row.heads = kv_heads * group;
      row.kv_heads = kv_heads;
      row.head_dim = width;
      row.context = context;
      row.flop = 4.0 * batch * kv_heads * group * static_cast<double>(context) * width;
      s.time(row, [&] {
        paged_decode<group><<<dim3(static_cast<unsigned>(batch), kv_heads, static_cast<unsigned>(parts)), threads>>>(
            kv.as<__nv_bfloat16>(), table.as<int>(), query.as<float>(), out.as<float>(), width, context, kv_heads, parts);
        return true;
      });
    }
}

const char* family_of(int major, int minor) {
  if (major == 7) return minor >= 5 ? "turing" : "volta";
  if (major == 8) return minor == 9 ? "ada" : "ampere";
  if (major == 9) return "hopper";
  return minor == 3 ? "blackwell-ultra" : "blackwell";
}

}  // namespace

extern "C" int fareline_probe(const ProbeAsk* ask, ProbeDevice* device) {
  int count = 0;
  const cudaError_t seen = cudaGetDeviceCount(&count);
  if (seen != cudaSuccess || count == 0) {
    const std::string why = std::string("there is no NVIDIA GPU here") +
                            (seen != cudaSuccess ? std::string(" (") + cudaGetErrorString(seen) + ")" : std::string());
    ask->note(ask->context, why.c_str());
    return 1;
  }
  Session session{*ask};
  cudaSetDevice(0);
  cudaGetDeviceProperties(&session.facts, 0);
  session.cache = static_cast<std::size_t>(session.facts.l2CacheSize);
  std::snprintf(device->title, sizeof device->title, "%s", session.facts.name);
  std::snprintf(device->vendor, sizeof device->vendor, "NVIDIA");
  std::snprintf(device->family, sizeof device->family, "%s", family_of(session.facts.major, session.facts.minor));
  device->cores = session.facts.multiProcessorCount;
  device->memory_bytes = device->usable_bytes = static_cast<double>(session.facts.totalGlobalMem);
  session.steps = ask->quick ? 1 + 3 + 15 + 1 : 1 + 8 + 240 + 16;
  measure_launches(session);
  measure_copies(session);
  measure_products(session);
  measure_decode(session);
  return 0;
}
