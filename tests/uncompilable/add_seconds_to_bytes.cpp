// SPDX-License-Identifier: Apache-2.0
// Seconds and bytes do not add.
// expect: no match for 'operator\+'
#include "units/quantity.h"

using namespace fareline;

#ifdef MISTAKE
Bytes total(Bytes weights, Seconds kv) { return weights + kv; }
#else
Bytes total(Bytes weights, Bytes kv) { return weights + kv; }
#endif
