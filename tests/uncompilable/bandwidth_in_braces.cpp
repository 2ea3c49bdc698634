// SPDX-License-Identifier: Apache-2.0
// Braces do not let a bare number in either.
// expect: Quantity<D>::Quantity\(double\) .* is private within this context
#include "units/quantity.h"

using namespace fareline;

#ifdef MISTAKE
const Bandwidth hbm{3.35e12};
#else
const Bandwidth hbm{};
#endif
