// SPDX-License-Identifier: Apache-2.0
// Dollars: what chips cost an hour, rented or owned, and how a bill is split over input, cached and output tokens.
#pragma once

#include "catalog/chip.h"
#include "perf/serving.h"
#include "units/quantity.h"

namespace fareline {

// Owning a chip with its share of the server, the network and the building.
struct Ownership {
  Dollars chip;                 // chip and its share of the server
  Dollars network;              // its share of switches and cables
  Seconds life;                 // depreciated to nothing over this
  Watts power;                  // drawn by chip and its share of the server while it works
  double pue = 1;               // facility over IT energy
  EnergyPrice electricity;
  double utilisation = 1;       // share of its life it is on for work that pays
  double upkeep = 0;            // space, staff and repair, a year, as a share of capital
};

// Returns the cost of one chip while it works.
// Equation: ((chip + network) (1/life + upkeep/year) / utilisation) + power pue electricity.
// Source: Barroso, Holzle & Ranganathan, The Datacenter as a Computer, 3rd ed., chapter 6 (TCO).
// Assumes: straight-line depreciation, no salvage value, no cost of capital; power is drawn only while it works.
MoneyRate owned_rate(const Ownership& ownership);

// How a cached prefix is kept between two uses.
struct PrefixStorage {
  StoragePrice price;           // zero where it stays in memory that is already paid for
  Seconds hold;                 // between two uses
  Bytes size;                   // of the cached part of one prompt
};

// What one request costs, by what it pays for; adds up to the bill exactly.
struct RequestBill {
  Dollars input;                // new prompt tokens
  Dollars prefix;               // reading the cached prefix
  Dollars storage;              // holding it until this use
  Dollars output;
  Dollars total;                // chips / rate + storage, computed apart from the four above
};

struct TokenPrices {
  TokenPrice input, cached_input, output, blended;
};

// Returns the bill of one request on a system of `chips` chips at `chip_rate` each.
// Equation: chips' cost of a request = chips rate / X; split in proportion to the engine time each part takes (prefill adds E to
// the steps, of which the prefix's reading is told apart by leaving it out; decode keeps the steps), idle time in proportion
// too; separate pools pay for their own side. storage = size price hold.
// Source: docs/guide/money.md, which argues for it. Assumes: every request is an average one.
RequestBill request_bill(const Serving& serving, double chips, MoneyRate chip_rate, const PrefixStorage& storage);

// Returns prices per token. Equation: each part of the bill over its tokens; blended = total / all tokens, cached ones included.
// Source: docs/guide/money.md. Assumes: the first output token belongs to the output.
TokenPrices token_prices(const RequestBill& bill, const Workload& workload);

}  // namespace fareline
