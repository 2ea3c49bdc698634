// SPDX-License-Identifier: Apache-2.0
// Pipeline schedules: what each stage does in which order, one row a schedule, with the formula of its bubble, and the simulation of
// the graph of dependencies that the formula is checked against.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "units/quantity.h"

namespace fareline {

enum class ScheduleKind : unsigned char { decode, gpipe, one_f_one_b, interleaved, zb_h1, zb_v, dualpipe };

// `micro_batches` go through `stages` devices; an interleaved schedule cuts a device's layers into `chunks`.
struct PipelineShape {
  int stages = 1;
  int micro_batches = 1;
  int chunks = 1;
  int rounds = 1;  // of decode: tokens each micro-batch generates
};

// What one micro-batch takes on one device, all chunks of the device together.
struct PieceTimes {
  Seconds forward, input_gradient, weight_gradient;
  Seconds overlapped;  // of a forward and a whole backward that run together (DualPipe)
  Seconds hop;         // from one device to the next
};

enum class PieceKind : unsigned char { forward, backward, input_gradient, weight_gradient, overlapped };

// One piece of work in one device's order. `chunk` counts the device's parts, forwards; of DualPipe its two directions.
struct Piece {
  PieceKind kind{};
  int chunk = 0, micro_batch = 0;
  int second = 0;  // of an overlapped piece: the micro-batch that goes backward, in the other direction
};

struct PieceSlot {
  int device = 0;
  Piece piece;
  Seconds start, end;
};

struct Simulated {
  Seconds time;            // from the first start to the last end
  Seconds span;            // the longest that a device takes from its first start to its last end
  Seconds bubble;          // the longest that a device idles between its first start and its last end
  double activations = 0;  // most micro-batches' activations a device holds until the input gradient, in whole stages
  double until_weights = 0;  // the same until the weight gradient
  bool complete = false;   // every piece ran; else the order waits for itself
  std::vector<PieceSlot> slots;
};

struct ScheduleRow {
  ScheduleKind kind;
  std::string_view name, summary, equation, source, assumes;
  double copies;           // of the parameters a device holds, over its share
  // Returns why the shape cannot be, empty where it can.
  std::string_view (*refuses)(const PipelineShape&);
  // Returns the time a device idles between its first and its last piece.
  Seconds (*bubble)(const PipelineShape&, const PieceTimes&);
  // Returns the activations held until the input gradient, in whole stages.
  double (*activations)(const PipelineShape&);
  // Returns whether `bubble` is what the graph takes, to the last bit where sums are; else it is the authors' approximation.
  bool (*exact)(const PipelineShape&, const PieceTimes&);
};

std::span<const ScheduleRow> schedules();
const ScheduleRow& schedule_row(ScheduleKind kind);

// Returns what the graph of dependencies gives: a piece starts when its device is free and its input has arrived.
// Equation: start = max(end of the device's previous piece, end of the neighbour's piece + hop).
// Source: the order of each row. Assumes: a device does one piece at a time, sending is free for it, links never queue.
Simulated simulate(ScheduleKind kind, const PipelineShape& shape, const PieceTimes& times, bool keep_slots = false);

// Decode round and round through the stages.
struct DecodePipeline {
  Seconds token_time;      // between two tokens of one sequence
  Seconds alone;           // of the same layers on one stage's chips, one micro-batch after the other absent
  Seconds hops;            // of it: what hops add
  double utilisation = 0;  // share of time a stage works
  int fewest = 1;          // micro-batches that leave no idle time
};
// Returns the steady state of decode. Equation: token = max(P (F + h), m F); utilisation = m F / token; fewest = ceil(P (F + h) / F).
// Source: the lecture at 57:22 to 1:00:58; Pope et al. 2022, section 3.4. Assumes: stages take alike; a token needs the one
// before it; one stage has no hop.
DecodePipeline decode_pipeline(const PipelineShape& shape, Seconds forward, Seconds hop);

// Returns time on scale-up over time on scale-out of one stage: above 1 the pipeline's hop hides. Equation: (b_out / b_up) k L c.
// Source: the lecture at 50:50. Assumes: a token goes to k experts and back (c = 2) in each of L layers, and crosses stages once.
double scale_up_over_scale_out(double bandwidth_ratio, double activated_experts, double layers, double copies);

}  // namespace fareline
