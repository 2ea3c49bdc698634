// SPDX-License-Identifier: Apache-2.0
// Seconds do not equal bytes, whatever their numbers.
// expect: no match for 'operator=='
#include "units/quantity.h"

using namespace fareline;

#ifdef MISTAKE
bool same(Seconds a, Bytes b) { return a == b; }
#else
bool same(Seconds a, Seconds b) { return a == b; }
#endif
