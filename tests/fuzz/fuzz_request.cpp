// SPDX-License-Identifier: Apache-2.0
// Bytes from the network: read as HTTP and answered. Every reply has a status and, where it is an error, where, what and remedy.
#include <cstdint>
#include <cstdlib>
#include <string>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http.hpp>
#include <nlohmann/json.hpp>

#include "api/question.h"
#include "apps/cli/serve_request.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fareline;
  namespace http = boost::beast::http;
  static const cli::ServeLimits limits{
      .header = 2'000, .body = 20'000, .questions = 8, .connections = 1, .question = std::chrono::seconds(2)};
  static cli::Service service(Catalogue::built_in(), limits);
  http::request_parser<http::string_body> parser;
  parser.header_limit(static_cast<std::uint32_t>(limits.header));
  parser.body_limit(limits.body);
  parser.eager(true);
  boost::system::error_code code;
  std::size_t taken = 0;
  while (taken < size && !parser.is_done()) {
    const std::size_t bytes = parser.put(boost::asio::buffer(data + taken, size - taken), code);
    if (code || bytes == 0) break;
    taken += bytes;
  }
  if (!parser.is_done()) return 0;
  const auto request = parser.release();
  const cli::Reply reply = service.reply(request.method_string(), request.target(), request.body());
  if (reply.status < 200 || reply.status > 599 || reply.type.empty()) std::abort();
  if (reply.status >= 400) {
    const auto body = nlohmann::ordered_json::parse(reply.body, nullptr, false);
    if (body.is_discarded() || !body.contains("error")) std::abort();
    for (const char* member : {"where", "what", "remedy"})
      if (!body["error"].contains(member) || !body["error"][member].is_string()) std::abort();
  }
  if (cli::Service::is_streamed(request.method_string(), request.target(), request[http::field::accept]))
    if (!service.last_event(request.body(), {}).ends_with("\n\n")) std::abort();
  return 0;
}
