// SPDX-License-Identifier: Apache-2.0
// The larger of two is taken within one dimension.
// expect: no matching function for call to 'max
#include "units/quantity.h"

using namespace fareline;

#ifdef MISTAKE
Seconds binding(Seconds a, Bytes b) { return max(a, b); }
#else
Seconds binding(Seconds a, Seconds b) { return max(a, b); }
#endif
