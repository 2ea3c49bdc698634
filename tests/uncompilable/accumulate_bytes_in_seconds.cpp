// SPDX-License-Identifier: Apache-2.0
// A sum keeps its dimension.
// expect: no match for 'operator\+='
#include "units/quantity.h"

using namespace fareline;

#ifdef MISTAKE
void add(Seconds& t, Bytes more) { t += more; }
#else
void add(Seconds& t, Seconds more) { t += more; }
#endif
