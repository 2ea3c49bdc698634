// SPDX-License-Identifier: Apache-2.0
// Bytes through a FLOP rate take no time.
// expect: could not convert .* from 'Quantity<fareline::Dim\{1, -1, 1, 0, 0, 0\}>' to 'Quantity<fareline::Dim\{0, 0, 1, 0, 0, 0\}>'
#include "units/quantity.h"

using namespace fareline;

#ifdef MISTAKE
Seconds time(Bytes work, FlopRate peak) { return work / peak; }
#else
Seconds time(Flops work, FlopRate peak) { return work / peak; }
#endif
