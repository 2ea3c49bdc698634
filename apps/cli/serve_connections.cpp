// SPDX-License-Identifier: Apache-2.0
#include "serve_connections.h"

#include <sys/resource.h>

#include <array>
#include <charconv>
#include <csignal>
#include <optional>
#include <set>

#include <boost/asio.hpp>
#include <boost/beast.hpp>
#include <fmt/format.h>

namespace fareline::cli {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using Tcp = asio::ip::tcp;
using Code = boost::system::error_code;
using Clock = std::chrono::steady_clock;

constexpr auto quietly = asio::as_tuple(asio::use_awaitable);

constexpr std::size_t idle_buffer = 1'024;            // bytes held for a connection that asks nothing
constexpr std::chrono::milliseconds telling{250};     // between two events of progress
constexpr std::chrono::seconds grace{10}, lingering{5};
constexpr std::chrono::milliseconds without_files{50};  // before accepting again where the process has no file left

class Connections {
 public:
  Connections(Service& service, int threads) : service_(service), pool_(static_cast<std::size_t>(threads)) {}

  Expected<void> listen(const ListenAddress& address) {
    Code code;
    const auto host = asio::ip::make_address(address.host, code);
    const Tcp::endpoint at(host, address.port);
    if (!code) acceptor_.open(at.protocol(), code);
    if (!code) acceptor_.set_option(asio::socket_base::reuse_address(true), code);
    if (!code) acceptor_.bind(at, code);
    if (!code) acceptor_.listen(asio::socket_base::max_listen_connections, code);
    if (code)
      return fail(fmt::format("--listen {}:{}", address.host, address.port), "cannot be listened at: " + code.message(),
                  "give another port, or an address of this machine");
    return {};
  }

  std::string url() const {
    const Tcp::endpoint at = acceptor_.local_endpoint();
    return at.address().is_v6() ? fmt::format("http://[{}]:{}", at.address().to_string(), at.port())
                                : fmt::format("http://{}:{}", at.address().to_string(), at.port());
  }

  void run() {
    asio::co_spawn(io_, accept(), asio::detached);
    asio::co_spawn(io_, stop(), asio::detached);
    io_.run();
    pool_.join();
  }

 private:
  // A connection while it is open: counted, and found when the service stops.
  struct Open {
    Connections& all;
    beast::tcp_stream stream;
    bool idle = true;
    Open(Connections& connections, Tcp::socket socket) : all(connections), stream(std::move(socket)) {
      all.open_.insert(this);
      all.service_.connections += 1;
    }
    ~Open() {
      all.open_.erase(this);
      all.service_.connections -= 1;
      all.ended();
    }
    Open(const Open&) = delete;
    Open& operator=(const Open&) = delete;
  };

  void ended() {
    if (stopping_ && open_.empty()) grace_.cancel();
  }

  asio::awaitable<void> stop() {
    asio::signal_set signals(io_, SIGINT, SIGTERM);
    co_await signals.async_wait(quietly);
    stopping_ = true;
    Code ignored;
    acceptor_.close(ignored);
    for (Open* open : open_)
      if (open->idle) open->stream.socket().cancel(ignored);
    if (open_.empty()) co_return;
    grace_.expires_after(grace);
    co_await grace_.async_wait(quietly);
    over_ = true;  // what still computes is told at its next look
    for (Open* open : open_) open->stream.socket().close(ignored);
  }

  asio::awaitable<void> accept() {
    while (!stopping_) {
      auto [code, socket] = co_await acceptor_.async_accept(quietly);
      if (stopping_) co_return;
      if (code) {
        asio::steady_timer pause(io_, without_files);
        co_await pause.async_wait(quietly);
        continue;
      }
      const bool full = open_.size() >= service_.limits().connections;
      if (full) service_.refused_connections += 1;
      Code ignored;
      socket.set_option(Tcp::no_delay(true), ignored);
      asio::co_spawn(io_, full ? turn_away(std::move(socket)) : converse(std::move(socket)), asio::detached);
    }
  }

  asio::awaitable<void> turn_away(Tcp::socket socket) {
    beast::tcp_stream stream(std::move(socket));
    const Reply full =
        refusal(503, {"service", fmt::format("holds {} connections, its limit", service_.limits().connections), "ask later"});
    co_await write(stream, full, false, false);
    co_await linger(stream);
  }

  asio::awaitable<void> converse(Tcp::socket socket) {
    Open open(*this, std::move(socket));
    beast::flat_buffer buffer;
    while (co_await exchange(open, buffer)) {}
    Code ignored;
    open.stream.socket().shutdown(Tcp::socket::shutdown_both, ignored);
  }

  // One request and its reply; false: the connection is over.
  asio::awaitable<bool> exchange(Open& open, beast::flat_buffer& buffer) {
    beast::tcp_stream& stream = open.stream;
    if (buffer.size() == 0) {
      if (stopping_) co_return false;
      open.idle = true;
      stream.expires_after(service_.limits().idle);
      auto [code, bytes] = co_await stream.async_read_some(buffer.prepare(idle_buffer), quietly);
      open.idle = false;
      if (code) co_return false;
      buffer.commit(bytes);
    }
    http::request_parser<http::string_body> parser;
    parser.header_limit(static_cast<std::uint32_t>(service_.limits().header));
    parser.body_limit(service_.limits().body);
    stream.expires_after(service_.limits().request);
    Code code;
    {
      auto [wrong, bytes] = co_await http::async_read_header(stream, buffer, parser, quietly);
      code = wrong;
    }
    if (!code && !parser.is_done()) {
      if (beast::iequals(parser.get()[http::field::expect], "100-continue")) {
        static constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
        co_await asio::async_write(stream, asio::buffer(go_on), quietly);
      }
      auto [wrong, bytes] = co_await http::async_read(stream, buffer, parser, quietly);
      code = wrong;
    }
    if (code) {
      if (const auto reply = misread(code)) {
        co_await write(stream, *reply, false, false);
        co_await linger(stream);
      }
      co_return false;
    }
    const auto request = parser.release();
    stream.expires_never();
    if (Service::is_streamed(request.method_string(), request.target(), request[http::field::accept])) {
      co_await tell(stream, request.body());
      co_return false;
    }
    auto answering = [&]() -> asio::awaitable<Reply> {
      co_return service_.reply(request.method_string(), request.target(), request.body(), [this](double) { return !over_; });
    };
    const Reply reply = co_await asio::co_spawn(pool_, std::move(answering), asio::use_awaitable);
    const bool keep = request.keep_alive() && !stopping_;
    co_return co_await write(stream, reply, keep, request.method() == http::verb::head) && keep;
  }

  // What is said to whom sent no request; nothing where nobody listens any more.
  std::optional<Reply> misread(Code code) const {
    if (code == http::error::body_limit)
      return refusal(413, {"body", "is too long", fmt::format("send at most {} bytes", service_.limits().body)});
    if (code == http::error::header_limit || code == http::error::buffer_overflow)
      return refusal(431, {"header", "is too long", fmt::format("send at most {} bytes", service_.limits().header)});
    if (code == beast::error::timeout)
      return refusal(408, {"request", fmt::format("did not come in within {} s", service_.limits().request.count()), "send it in one go"});
    if (code.category() == Code(http::error::bad_method).category() && code != http::error::end_of_stream)
      return refusal(400, {"request", "is no HTTP: " + code.message(), "send HTTP/1.1"});
    return std::nullopt;
  }

  asio::awaitable<bool> write(beast::tcp_stream& stream, const Reply& reply, bool keep, bool head) {
    service_.count(reply.status);
    std::string text = fmt::format(
        "HTTP/1.1 {} {}\r\nServer: fareline\r\nContent-Type: {}\r\nContent-Length: {}\r\n"
        "X-Content-Type-Options: nosniff\r\n{}{}{}{}\r\n",
        reply.status, std::string_view(http::obsolete_reason(http::int_to_status(reply.status))), reply.type, reply.body.size(),
        keep ? "" : "Connection: close\r\n", reply.allow.empty() ? "" : "Allow: ", reply.allow, reply.allow.empty() ? "" : "\r\n");
    const std::array<asio::const_buffer, 2> both{asio::buffer(text),
                                                 asio::buffer(head ? std::string_view() : std::string_view(reply.body))};
    stream.expires_after(service_.limits().request);
    auto [code, bytes] = co_await asio::async_write(stream, both, quietly);
    co_return !code;
  }

  // Reads on for a while what nobody wants, so that the reply is not lost with a reset.
  asio::awaitable<void> linger(beast::tcp_stream& stream) {
    Code ignored;
    stream.socket().shutdown(Tcp::socket::shutdown_send, ignored);
    stream.expires_after(lingering);
    while (true) {
      auto [code, bytes] = co_await stream.async_read_some(asio::buffer(waste_), quietly);
      if (code) co_return;
    }
  }

  // An answer as events. That the client left is seen by writing to it: one that has only stopped sending still hears.
  asio::awaitable<void> tell(beast::tcp_stream& stream, const std::string& body) {
    static constexpr std::string_view head =
        "HTTP/1.1 200 OK\r\nServer: fareline\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nConnection: close\r\n"
        "X-Content-Type-Options: nosniff\r\n\r\n";
    service_.count(200);
    std::atomic<double> done{0};
    std::atomic<bool> left{false};
    bool finished = false;
    std::string last;
    asio::steady_timer timer(io_);
    auto answering = [&]() -> asio::awaitable<std::string> {
      co_return service_.last_event(body, [&](double share) {
        done = share;
        return !left && !over_;
      });
    };
    asio::co_spawn(pool_, std::move(answering), asio::bind_executor(io_, [&](std::exception_ptr, std::string text) {
                     last = std::move(text);
                     finished = true;
                     timer.cancel();
                   }));
    const auto send = [&](std::string_view text) -> asio::awaitable<void> {
      if (left) co_return;
      stream.expires_after(service_.limits().request);
      auto [code, bytes] = co_await asio::async_write(stream, asio::buffer(text), quietly);
      left = bool(code);
    };
    co_await send(head);
    while (!finished) {
      timer.expires_after(telling);
      co_await timer.async_wait(quietly);
      if (finished) break;
      const std::string event = Service::progress_event(done);
      co_await send(event);
    }
    co_await send(last);
  }

  Service& service_;
  asio::io_context io_{1};
  asio::thread_pool pool_;
  Tcp::acceptor acceptor_{io_};
  asio::steady_timer grace_{io_};
  std::set<Open*> open_;
  std::array<char, 65'536> waste_;  // written to by all who linger, read by nobody
  bool stopping_ = false;
  std::atomic<bool> over_{false};
};

}  // namespace

Expected<ListenAddress> parse_listen(const std::string& text) {
  const auto wrong = [&](std::string what) { return fail("--listen " + in_quotes(text), std::move(what), "write e.g. 127.0.0.1:8410"); };
  const auto colon = text.rfind(':');
  if (colon == std::string::npos) return wrong("has no port");
  ListenAddress address{.host = text.substr(0, colon)};
  const char *first = text.data() + colon + 1, *last = text.data() + text.size();
  const auto [end, code] = std::from_chars(first, last, address.port);
  if (code != std::errc() || end != last) return wrong("has no port between 0 and 65535");
  if (address.host.starts_with("[") && address.host.ends_with("]")) address.host = address.host.substr(1, address.host.size() - 2);
  if (address.host == "localhost") address.host = "127.0.0.1";
  Code no;
  asio::ip::make_address(address.host, no);
  if (no) return wrong("has no address of a machine before its port");
  return address;
}

Expected<void> serve_until_stopped(Service& service, const ListenAddress& address, int threads,
                                   const std::function<void(const std::string&)>& listening) {
  std::signal(SIGPIPE, SIG_IGN);
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  Connections connections(service, threads);
  if (const auto listens = connections.listen(address); !listens) return listens;
  listening(connections.url());
  connections.run();
  return {};
}

}  // namespace fareline::cli
