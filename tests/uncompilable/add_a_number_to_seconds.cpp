// SPDX-License-Identifier: Apache-2.0
// A bare number is no duration.
// expect: no match for 'operator\+'
#include "units/quantity.h"

using namespace fareline;

#ifdef MISTAKE
Seconds later(Seconds t) { return t + 1.0; }
#else
Seconds later(Seconds t) { return t + 1 * unit::s; }
#endif
