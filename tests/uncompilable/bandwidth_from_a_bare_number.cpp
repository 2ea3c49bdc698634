// SPDX-License-Identifier: Apache-2.0
// A bandwidth is entered with its unit.
// expect: could not convert '3.35e\+12' from 'double' to 'fareline::Bandwidth'
#include "units/quantity.h"

using namespace fareline;

#ifdef MISTAKE
Bandwidth hbm() { return 3.35e12; }
#else
Bandwidth hbm() { return 3.35 * unit::TB / unit::s; }
#endif
