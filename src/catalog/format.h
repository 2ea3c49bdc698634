// SPDX-License-Identifier: Apache-2.0
// Number formats: how many bits a stored element takes, scales included, and whose peak rate it multiplies at.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "units/quantity.h"

namespace fareline {

enum class Format : unsigned char {
  fp64, fp32, tf32, bf16, fp16, fp8, fp8_block, mxfp8, int8, mxfp6, nvfp4, mxfp4, int4, ternary, int4_32, int8_32
};
inline constexpr int format_count = 16;

struct FormatRow {
  Format format;
  std::string_view name;
  std::string_view summary;
  double bits;   // a stored element, its share of the scales included
  Format rate;   // the row of a chip's peak table that it multiplies at: fp32, tf32, bf16, fp8, int8, mxfp6 or nvfp4 (any 4-bit float)
};

// Source: NVIDIA, "Introducing NVFP4" (one FP8 scale per 16 elements: 4 + 8/16 bits); OCP Microscaling Formats v1.0
// (one E8M0 scale per 32 elements: + 8/32 bits); DeepSeek-V3 report, section 3.3 (one FP32 scale per 128 x 128 block);
// GPTQ and AWQ at their usual group of 128 (FP16 scale and 4-bit zero: + 20/128 bits); compressed-tensors'
// pack-quantized at a group of 32, symmetric (16-bit scale: + 16/32 bits), as llama.cpp's Q4_0 and Q8_0 (ggml-common.h).
inline constexpr std::array<FormatRow, format_count> formats{{
    {Format::fp64, "fp64", "IEEE double", 64, Format::fp64},
    {Format::fp32, "fp32", "IEEE single", 32, Format::fp32},
    {Format::tf32, "tf32", "single in memory, 19 bits in the multiplier", 32, Format::tf32},
    {Format::bf16, "bf16", "bfloat16", 16, Format::bf16},
    {Format::fp16, "fp16", "IEEE half", 16, Format::bf16},
    {Format::fp8, "fp8", "FP8, one scale a tensor or a channel", 8, Format::fp8},
    {Format::fp8_block, "fp8_block", "FP8, one FP32 scale per 128 x 128 block", 8 + 32.0 / (128 * 128), Format::fp8},
    {Format::mxfp8, "mxfp8", "FP8, one E8M0 scale per 32", 8.25, Format::fp8},
    {Format::int8, "int8", "8-bit integer, one scale a channel", 8, Format::int8},
    {Format::mxfp6, "mxfp6", "6-bit float, one E8M0 scale per 32", 6.25, Format::mxfp6},
    {Format::nvfp4, "nvfp4", "4-bit float, one FP8 scale per 16", 4.5, Format::nvfp4},
    {Format::mxfp4, "mxfp4", "4-bit float, one E8M0 scale per 32", 4.25, Format::nvfp4},
    {Format::int4, "int4", "4-bit integer in groups of 128, weights only", 4 + 20.0 / 128, Format::bf16},
    {Format::ternary, "ternary", "1.58-bit weights packed four to a byte", 2, Format::int8},
    {Format::int4_32, "int4_32", "4-bit integer in symmetric groups of 32, weights only", 4 + 16.0 / 32, Format::bf16},
    {Format::int8_32, "int8_32", "8-bit integer in symmetric groups of 32", 8 + 16.0 / 32, Format::int8},
}};

constexpr const FormatRow& row(Format format) { return formats[static_cast<std::size_t>(format)]; }
constexpr std::string_view name(Format format) { return row(format).name; }
// Bytes of one stored element, scales included. Source: the table above. Assumes: whole blocks.
constexpr Bytes element_bytes(Format format) { return row(format).bits / 8 * unit::B; }
constexpr std::optional<Format> format_named(std::string_view text) {
  for (const FormatRow& r : formats)
    if (r.name == text) return r.format;
  return std::nullopt;
}

}  // namespace fareline
