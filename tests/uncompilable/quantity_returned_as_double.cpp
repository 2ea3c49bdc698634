// SPDX-License-Identifier: Apache-2.0
// A quantity leaves by naming its unit.
// expect: cannot convert 'fareline::Seconds' .* to 'double' in return
#include "units/quantity.h"

using namespace fareline;

#ifdef MISTAKE
double milliseconds(Seconds t) { return t; }
#else
double milliseconds(Seconds t) { return t.in(unit::ms); }
#endif
