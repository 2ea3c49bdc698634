// SPDX-License-Identifier: Apache-2.0
// A chip, and a system of chips: what the vendor states, each value with its source.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "catalog/format.h"
#include "units/quantity.h"

namespace fareline {

// A fact: its value, where it comes from, and what other sources say where they disagree.
template <class T>
struct Sourced {
  T value{};
  std::string source;    // empty: not stated
  std::string disputed;  // "7.7 TB/s in NVIDIA's GB200 sheet": empty where sources agree
  bool stated() const { return !source.empty(); }
};

struct Chip {
  std::string name, title, vendor, family;  // "h100-sxm", "NVIDIA H100 SXM5 80 GB", "NVIDIA", "hopper"
  std::string status;                       // "shipping", "announced" or "retired"
  std::string released;                     // "2022-09"
  std::array<Sourced<FlopRate>, format_count> peak;  // dense, by FormatRow::rate; zero where the chip lacks the format
  Sourced<int> cores;                       // units a kernel's tiles are dealt to: SMs, CUs, tensor cores, CPU cores
  Sourced<Bytes> hbm_capacity;              // physical
  Sourced<Bytes> hbm_usable;                // what an allocator sees
  Sourced<Bandwidth> hbm_bandwidth;         // peak
  Sourced<Bandwidth> host_link;             // to host memory, one way
  Sourced<Watts> tdp;
};

// A place a cached prefix can be kept, nearest first.
struct MemoryTier {
  std::string name;                  // "dram", "flash", "disk", "remote"
  Sourced<Bytes> capacity;           // a chip's share
  Sourced<Bandwidth> bandwidth;      // a chip's share, reading
  Sourced<StoragePrice> price;
};

struct Link {
  std::string kind;                  // "NVLink 4 through NVSwitch"
  Sourced<Bandwidth> bandwidth;      // one way, a chip
  Sourced<Seconds> latency;          // one hop, between two chips' memories
};

struct System {
  std::string name, title;
  Chip chip;
  std::string status;
  int domain = 1;                    // chips of one scale-up domain
  int chips = 1;                     // chips of one unit as sold: 8 for an HGX board, 72 for a rack
  Link scale_up, scale_out;
  std::vector<MemoryTier> tiers;
};

}  // namespace fareline
