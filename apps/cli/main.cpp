// SPDX-License-Identifier: Apache-2.0
// The command line: arguments in, tables, plots and JSON out.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "api/question.h"
#include "api/reference.h"
#include "api/sweep.h"
#include "files.h"
#include "render.h"
#include "validate.h"

namespace {

using Json = nlohmann::ordered_json;
using namespace fareline;

constexpr std::size_t config_bytes = 16'000'000;

int complain(const Error& error) {
  std::fprintf(stderr, "fareline: %s\n", error.line().c_str());
  return 2;
}

// One question's arguments, in the order they are declared.
struct Arguments {
  std::map<std::string, std::string> values;
  std::vector<std::string> vary;
  std::string plot, csv, data;
  bool json = false, explain = false;
};

// A model given as a path becomes its text; a folder holds config.json and perhaps hf_quant_config.json.
Expected<Json> model_argument(const std::string& text) {
  namespace fs = std::filesystem;
  std::error_code code;
  fs::path path = text;
  const bool looks_like_path = text.ends_with(".json") || text.starts_with(".") || text.starts_with("/");
  if (!looks_like_path && !fs::is_directory(path, code)) return Json(text);
  if (fs::is_directory(path, code)) path /= "config.json";
  const auto config = cli::read_file(path.string(), config_bytes);
  if (!config) return std::unexpected(config.error());
  Json parsed = Json::parse(*config, nullptr, false);
  if (parsed.is_discarded()) return fail(path.string(), "is not JSON, or is cut short", "give a config.json as published");
  Json model{{"name", text}, {"config", std::move(parsed)}};
  const fs::path quantization = path.parent_path() / "hf_quant_config.json";
  if (path.filename() == "config.json" && fs::exists(quantization, code)) {
    const auto quant = cli::read_file(quantization.string(), config_bytes);
    if (!quant) return std::unexpected(quant.error());
    Json parsed_quant = Json::parse(*quant, nullptr, false);
    if (parsed_quant.is_discarded())
      return fail(quantization.string(), "is not JSON, or is cut short", "give it as published, or remove it");
    model["hf_quant_config"] = std::move(parsed_quant);
  }
  return model;
}

Expected<Catalogue> overlaid(const std::string& folder) {
  namespace fs = std::filesystem;
  std::vector<std::pair<std::string, std::string>> files;
  for (const EmbeddedFile& file : embedded_files()) files.emplace_back(file.path, file.text);
  std::error_code code;
  if (!fs::is_directory(folder, code))
    return fail("--data " + folder, "is not a folder",
                "give a folder laid out as data/: chips/, systems/, models/, prices/, calibrations/");
  std::vector<fs::path> paths;
  for (const auto& entry : fs::recursive_directory_iterator(folder, code))
    if (entry.is_regular_file() && entry.path().extension() == ".json") paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  for (const fs::path& path : paths) {
    const auto text = cli::read_file(path.string(), config_bytes);
    if (!text) return std::unexpected(text.error());
    files.emplace_back(fs::relative(path, folder).generic_string(), *text);
  }
  return Catalogue::read(files);
}

int answer(const std::string& question, const Arguments& arguments) {
  Json inputs = Json::object();
  for (const auto& [name, value] : arguments.values) {
    if (value.empty()) return complain({"--" + name, "is empty", "write a value"});
    if (name != "model") {
      inputs[name] = value;
      continue;
    }
    auto model = model_argument(value);
    if (!model) return complain(model.error());
    inputs[name] = std::move(*model);
  }
  if (arguments.explain && (question == "cost")) inputs["explain"] = "full";
  Json asked{{"question", question}, {"inputs", std::move(inputs)}};
  if (!arguments.vary.empty() || question == "sweep") {
    const std::string of = arguments.values.contains("of") ? arguments.values.at("of") : "cost";
    std::string vary;
    for (const std::string& v : arguments.vary) vary += (vary.empty() ? "" : " ") + v;
    Json own{{"of", of}, {"vary", vary}};
    Json inner = asked["inputs"];
    inner.erase("of");
    if (inner.contains("show")) {
      own["show"] = inner["show"];
      inner.erase("show");
    }
    own["inputs"] = std::move(inner);
    asked["inputs"] = std::move(own);
  }
  auto answered = [&]() -> Expected<Json> {
    if (arguments.data.empty()) return ask(asked, Catalogue::built_in());
    const auto catalogue = overlaid(arguments.data);
    if (!catalogue) return std::unexpected(catalogue.error());
    return ask(asked, *catalogue);
  }();
  if (!answered) {
    Error error = answered.error();
    // What the question calls "tp" is "--tp" here.
    const std::string head = error.where.substr(0, error.where.find_first_of(": "));
    if (arguments.values.contains(head) || head == "vary" || error.what == "is missing") error.where = "--" + error.where;
    return complain(error);
  }
  if (!arguments.plot.empty()) {
    const auto svg = plot_sweep(*answered);
    if (!svg) return complain(svg.error());
    if (const auto written = cli::write_file(arguments.plot, *svg); !written) return complain(written.error());
  }
  if (!arguments.csv.empty()) {
    const auto text = csv_sweep(*answered);
    if (!text) return complain(text.error());
    if (const auto written = cli::write_file(arguments.csv, *text); !written) return complain(written.error());
  }
  if (arguments.plot == "-" || arguments.csv == "-") return 0;
  const std::string text =
      arguments.json ? answered->dump(2, ' ', false, Json::error_handler_t::replace) + "\n" : cli::rendered(*answered, arguments.explain);
  std::fwrite(text.data(), 1, text.size(), stdout);
  return 0;
}

// Answers one question a line, as it comes.
int answer_lines() {
  std::string line;
  while (std::getline(std::cin, line)) {
    if (line.empty()) continue;
    const std::string text = ask_text(line, Catalogue::built_in()) + "\n";
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
  }
  return 0;
}

// Writes the reference below `folder`, which is made where it is not there.
int write_reference(const std::string& folder) {
  std::error_code code;
  std::filesystem::create_directories(folder, code);
  for (const ReferencePage& page : reference_pages(Catalogue::built_in())) {
    const auto written = cli::write_file((std::filesystem::path(folder) / page.path).string(), page.text);
    if (!written) return complain(written.error());
  }
  return 0;
}

void add_inputs(CLI::App& command, const Question& question, Arguments& arguments, bool positional) {
  for (const Input& input : question.inputs) {
    std::string help(input.summary);
    if (!input.choices.empty()) help += fmt::format(": {}", input.choices);
    if (!input.value.empty()) help += fmt::format(" [{}: {}]", input.value, input.reason);
    else if (!input.reason.empty()) help += fmt::format(" [{}]", input.reason);
    const std::string name = positional ? std::string(input.name) : "--" + std::string(input.name);
    command
        .add_option_function<std::string>(
            name, [&arguments, key = std::string(input.name)](const std::string& value) { arguments.values[key] = value; }, help)
        ->type_name("");
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"fareline says what a token costs, how fast it comes, and why."};
  app.name("fareline");
  app.set_version_flag("--version", std::string("fareline 0.1.0"));
  app.require_subcommand(1);
  app.set_help_all_flag("--help-all", "help of every question");
  Arguments arguments;
  for (const Question& question : questions()) {
    CLI::App& command = *app.add_subcommand(std::string(question.name), std::string(question.summary));
    command.footer(fmt::format("Example: fareline {} {}", question.name, question.example));
    const bool catalogue = question.name == "list" || question.name == "show";
    if (question.name == "sweep") {
      command
          .add_option_function<std::string>(
              "of", [&arguments](const std::string& value) { arguments.values["of"] = value; },
              "the question asked at each point: cost, step or memory")
          ->type_name("");
      command.add_option("--vary", arguments.vary, "input=first..last[:points[:linear]] or input=a,b,c; once or twice")->type_name("");
      command
          .add_option_function<std::string>(
              "--show", [&arguments](const std::string& value) { arguments.values["show"] = value; },
              "paths of the answer, comma separated: price.output,latency.tpot")
          ->type_name("");
      command.add_option("--plot", arguments.plot, "write the picture as SVG here (- for standard output)")->type_name("FILE");
      command.add_option("--csv", arguments.csv, "write the columns as CSV here (- for standard output)")->type_name("FILE");
      std::vector<Input> all;
      for (const Question& inner : questions()) {
        if (inner.name != "cost" && inner.name != "step" && inner.name != "memory") continue;
        for (const Input& input : inner.inputs)
          if (std::none_of(all.begin(), all.end(), [&](const Input& i) { return i.name == input.name; })) all.push_back(input);
      }
      add_inputs(command, {.name = question.name, .inputs = all}, arguments, false);
    } else {
      add_inputs(command, question, arguments, catalogue);
      if (question.name == "cost" || question.name == "step") command.remove_option(command.get_option_no_throw("--explain"));
      if (!catalogue) command.add_flag("--explain", arguments.explain, "show where every number comes from");
    }
    command.add_flag("--json", arguments.json, "answer as JSON");
    command.add_option("--data", arguments.data, "a folder laid out as data/ whose files are added to the catalogue or replace its own")
        ->type_name("DIR");
    command.callback([&question, &arguments] { throw CLI::RuntimeError(answer(std::string(question.name), arguments)); });
  }
  cli::add_validate(app, overlaid, complain);
  CLI::App& lines = *app.add_subcommand("ask", "answer questions from standard input, one JSON object a line");
  lines.footer("Example: echo '{\"question\":\"list\",\"inputs\":{\"kind\":\"chips\"}}' | fareline ask");
  lines.callback([] { throw CLI::RuntimeError(answer_lines()); });
  std::string folder;
  CLI::App& docs = *app.add_subcommand("docs", "write the reference documentation, from the tables the program works by");
  docs.add_option("folder", folder, "where its pages are written")->type_name("DIR")->required();
  docs.footer("Example: fareline docs docs/reference");
  docs.callback([&folder] { throw CLI::RuntimeError(write_reference(folder)); });
  try {
    app.parse(argc, argv);
  } catch (const CLI::RuntimeError& done) {
    return done.get_exit_code();
  } catch (const CLI::Success& success) {
    return app.exit(success);
  } catch (const CLI::ExtrasError& error) {
    std::vector<std::string> known;
    for (const CLI::App* sub : app.get_subcommands())
      for (const CLI::Option* option : sub->get_options()) known.push_back(option->get_name());
    std::string what = error.what();
    if (const auto colon = what.rfind(": "); colon != std::string::npos) what = what.substr(colon + 2);
    const std::string first = what.substr(0, what.find(' '));
    const std::string near = nearest_names(first, known);
    return complain({first, "is not known here", near.empty() ? "see fareline --help" : near});
  } catch (const CLI::ParseError& error) {
    return complain({"", error.what(), "see fareline --help"});
  }
  return 0;
}
