// SPDX-License-Identifier: Apache-2.0
// Bytes of a trace, inflated where they are gzip: a gigabyte passes through a hundred kilobytes.
#pragma once

#include <memory>

#include "sim/traffic_bytes.h"

namespace fareline {

// Returns `packed` as it is where it does not begin as gzip does, else what it inflates to; members set end to end are one
// (RFC 1952, 2.2). Its errors: those of `packed`; gzip that is damaged or cut short.
std::unique_ptr<ByteSource> inflated(std::unique_ptr<ByteSource> packed);

}  // namespace fareline
