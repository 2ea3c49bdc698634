// SPDX-License-Identifier: Apache-2.0
// A chip, and a system of chips: what the vendor states, each value with its source.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/format.h"
#include "units/error.h"
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
  Sourced<Bandwidth> core_bandwidth;        // what one core alone can read; not stated: all of it
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
  std::string kind;                  // "NVLink 4 through NVSwitch"; "none", with nothing stated, where there is no such link
  Sourced<Bandwidth> bandwidth;      // one way, a chip
  Sourced<Seconds> latency;          // one hop, between two chips' memories
};

struct System {
  std::string name, title;
  Chip chip;
  std::string status;
  int domain = 1;                    // chips of one scale-up domain
  int chips = 1;                     // chips of one unit as sold: 8 for an HGX board, 72 for a rack
  std::string source;                // where domain and chips are stated, and how they are counted
  Link scale_up, scale_out;
  std::vector<MemoryTier> tiers;
};

// The facts of a chip beside its peaks: key in its file, member, what it means, and between what bounds it is believed.
template <class T>
struct ChipFact {
  std::string_view key;
  Sourced<T> Chip::*member;
  T least, most;
  std::string_view summary;
  bool optional = false;
};
inline constexpr std::array<ChipFact<Bytes>, 2> chip_capacities{{
    {"hbm_capacity", &Chip::hbm_capacity, unit::MB, 100 * unit::TB, "memory beside the chip, physical"},
    {"hbm_usable", &Chip::hbm_usable, unit::MB, 100 * unit::TB, "what of it an allocator sees"},
}};
inline constexpr std::array<ChipFact<Bandwidth>, 3> chip_bandwidths{{
    {"hbm_bandwidth", &Chip::hbm_bandwidth, unit::GB / unit::s, unit::PB / unit::s, "peak bandwidth of the memory beside the chip"},
    {"host_link", &Chip::host_link, unit::GB / unit::s, 100 * unit::TB / unit::s, "bandwidth to host memory, one way"},
    {"core_bandwidth", &Chip::core_bandwidth, unit::MB / unit::s, 100 * unit::TB / unit::s, "what one core alone reads", true},
}};
inline constexpr std::array<ChipFact<Watts>, 1> chip_powers{{
    {"tdp", &Chip::tdp, unit::W, 100 * unit::kW, "thermal design power"},
}};
inline constexpr std::array<ChipFact<int>, 1> chip_counts{{
    {"cores", &Chip::cores, 1, 1'000'000, "units a kernel's tiles are dealt to: SMs, CUs, tensor cores, CPU cores"},
}};

inline constexpr std::array<std::string_view, 3> statuses{"shipping", "announced", "retired"};
inline constexpr std::array<std::string_view, 15> chip_families{"volta",           "turing", "ampere", "ada",   "hopper", "blackwell",
                                                                "blackwell-ultra", "rubin",  "cdna2",  "cdna3", "cdna4",  "tpu",
                                                                "trainium",        "gaudi",  "cpu"};
inline constexpr std::array<std::string_view, 4> tier_names{"dram", "flash", "disk", "remote"};

// Reads a chip. A format's peak stands under FormatRow::rate; what the chip lacks is left out.
// Errors: whatever parse_json and Fields refuse; a peak under a format that multiplies at another's rate; no peak at all;
// more usable than physical memory. `file` names the text in errors.
Expected<Chip> read_chip(std::string_view file, std::string_view text);

// Reads a system whose chip is one of `chips`.
// Errors: as above; a chip unknown, with the nearest names; a tier twice or out of order.
Expected<System> read_system(std::string_view file, std::string_view text, std::span<const Chip> chips);

}  // namespace fareline
