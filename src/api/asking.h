// SPDX-License-Identifier: Apache-2.0
// Asking beyond ask(): what every answer is wrapped in, for questions that are answered with more than their inputs; and answers
// that somebody waits for.
#pragma once

#include <functional>
#include <string>

#include "api/inputs.h"

namespace fareline {

// Returns what ask() does where the question's row is answered by `answer` in place of its own function. Errors: as ask.
Expected<nlohmann::ordered_json> ask_with(const nlohmann::ordered_json& question, const Catalogue& catalogue,
                                          const std::function<Expected<nlohmann::ordered_json>(Inputs&)>& answer);

// Told what share of an answer, 0 to 1, is there; returns whether to go on.
using Watch = std::function<bool(double done)>;

// Returns what ask() does, and tells `watch` on the way what share of the answer is there: at each point of a sweep, every 65,536
// events of a simulation, which is not cut short where it is watched. Where it returns false a sweep ends in an error, and a
// simulation with what was run by then.
Expected<nlohmann::ordered_json> ask_watched(const nlohmann::ordered_json& question, const Catalogue& catalogue, const Watch& watch);

// What "sweep" and "simulate" are answered under a watch, which may be empty.
Expected<nlohmann::ordered_json> answer_sweep_watched(Inputs& inputs, const Catalogue& catalogue, const Watch& watch);
Expected<nlohmann::ordered_json> answer_simulate_watched(Inputs& inputs, const Catalogue& catalogue, const Watch& watch);

// Returns an answer as JSON on one line, or {"error": {"where", "what", "remedy"}}.
std::string text_of(const Expected<nlohmann::ordered_json>& answered);

}  // namespace fareline
