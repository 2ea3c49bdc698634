// SPDX-License-Identifier: Apache-2.0
// Seconds and bytes have no order.
// expect: no match for 'operator<'
#include "units/quantity.h"

using namespace fareline;

#ifdef MISTAKE
bool shorter(Seconds a, Bytes b) { return a < b; }
#else
bool shorter(Seconds a, Seconds b) { return a < b; }
#endif
