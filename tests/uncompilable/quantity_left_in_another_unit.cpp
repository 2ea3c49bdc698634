// SPDX-License-Identifier: Apache-2.0
// Seconds are not read in gigabytes.
// expect: cannot convert 'Quantity<fareline::Dim\{1, 0, 0, 0, 0, 0\}>' to 'Quantity<fareline::Dim\{0, 0, 1, 0, 0, 0\}>'
#include "units/quantity.h"

using namespace fareline;

#ifdef MISTAKE
double read(Seconds t) { return t.in(unit::GB); }
#else
double read(Seconds t) { return t.in(unit::ms); }
#endif
