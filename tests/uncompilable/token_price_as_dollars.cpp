// SPDX-License-Identifier: Apache-2.0
// A price per token is not yet money.
// expect: could not convert .* from 'Quantity<fareline::Dim\{0, 0, 0, 0, 1, -1\}>' to 'Quantity<fareline::Dim\{0, 0, 0, 0, 1, 0\}>'
#include "units/quantity.h"

using namespace fareline;

#ifdef MISTAKE
Dollars bill(TokenPrice price, double count) { return price * count; }
#else
Dollars bill(TokenPrice price, Tokens count) { return price * count; }
#endif
