// SPDX-License-Identifier: Apache-2.0
// The wire under the service: one thread reads and writes, others answer.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "serve_request.h"

namespace fareline::cli {

struct ListenAddress {
  std::string host = "127.0.0.1";  // an address, not a name
  std::uint16_t port = 8410;       // 0: one that is free
};

// Returns the address in "127.0.0.1:8410", "[::1]:8410" or "localhost:8410". Errors: none of these.
Expected<ListenAddress> parse_listen(const std::string& text);

// Answers until SIGINT or SIGTERM, then lets what is asked be answered, for ten seconds at most. `listening` is called with the
// address in the form of a URL. Errors: cannot listen there.
Expected<void> serve_until_stopped(Service& service, const ListenAddress& address, int threads,
                                   const std::function<void(const std::string& url)>& listening);

}  // namespace fareline::cli
