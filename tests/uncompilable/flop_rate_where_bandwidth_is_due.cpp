// SPDX-License-Identifier: Apache-2.0
// FLOP/s is no B/s.
// expect: could not convert 'peak' from 'Quantity<fareline::Dim\{0, 1, -1, 0, 0, 0\}>' to 'Quantity<fareline::Dim\{1, 0, -1, 0, 0, 0\}>'
#include "units/quantity.h"

using namespace fareline;

#ifdef MISTAKE
Seconds stream(Bytes b, Bandwidth rate) { return b / rate; }
Seconds weights(FlopRate peak) { return stream(1 * unit::GB, peak); }
#else
Seconds stream(Bytes b, Bandwidth rate) { return b / rate; }
Seconds weights(Bandwidth hbm) { return stream(1 * unit::GB, hbm); }
#endif
