// SPDX-License-Identifier: Apache-2.0
#include "serve.h"

#include <cstdio>
#include <memory>
#include <thread>

#include "serve_connections.h"

namespace fareline::cli {
namespace {

struct Arguments {
  std::string listen = "127.0.0.1:8410";
  int threads = 0;
  std::size_t body = ServeLimits{}.body, questions = ServeLimits{}.questions, connections = ServeLimits{}.connections;
  std::int64_t seconds = ServeLimits{}.question.count();
};

Expected<void> serve(const Arguments& arguments) {
  const auto address = parse_listen(arguments.listen);
  if (!address) return std::unexpected(address.error());
  ServeLimits limits{.body = arguments.body, .questions = arguments.questions, .connections = arguments.connections};
  limits.question = std::chrono::seconds(arguments.seconds);
  const int threads = arguments.threads > 0 ? arguments.threads : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  Service service(Catalogue::built_in(), limits);
  return serve_until_stopped(service, *address, threads, [](const std::string& url) {
    std::printf("fareline listens at %s\n", url.c_str());
    std::fflush(stdout);
  });
}

}  // namespace

void add_serve(CLI::App& app, int (*complain)(const Error&)) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App& command = *app.add_subcommand("serve", "answer questions over HTTP, until interrupted");
  command.footer("Example: fareline serve --listen 127.0.0.1:8410");
  command.add_option("--listen", arguments->listen, "address and port; port 0 takes a free one [127.0.0.1:8410: this machine alone]")
      ->type_name("");
  command.add_option("--threads", arguments->threads, "questions answered at once [one a core]")->type_name("")->check(CLI::Range(1, 1024));
  command.add_option("--seconds", arguments->seconds, "after which a simulation or a sweep is stopped [60]")
      ->type_name("")
      ->check(CLI::Range(1, 86'400));
  command.add_option("--body", arguments->body, "bytes of a request at most [4000000]")
      ->type_name("")
      ->check(CLI::Range(1'000, 1'000'000'000));
  command.add_option("--questions", arguments->questions, "questions of one request at most [1000]")
      ->type_name("")
      ->check(CLI::Range(1, 1'000'000));
  command.add_option("--connections", arguments->connections, "connections at once at most [16384]")
      ->type_name("")
      ->check(CLI::Range(1, 1'000'000));
  command.callback([arguments, complain] {
    const auto done = serve(*arguments);
    throw CLI::RuntimeError(done ? 0 : complain(done.error()));
  });
}

}  // namespace fareline::cli
