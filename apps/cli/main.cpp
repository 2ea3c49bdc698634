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

#include "api/plan.h"
#include "api/question.h"
#include "api/questions.h"
#include "api/reference.h"
#include "api/sweep.h"
#include "arguments.h"
#include "calibrate.h"
#include "files.h"
#include "measure.h"
#include "render.h"
#include "serve.h"
#include "simulate.h"
#include "threads.h"
#include "validate.h"

namespace {

using Json = nlohmann::ordered_json;
using namespace fareline;

constexpr int help_column = 25;
constexpr std::size_t config_bytes = 16'000'000;

// One line on standard error, whatever the words of the asker hold.
int complain(const Error& error) {
  std::string line = error.line();
  for (char& c : line)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  std::fprintf(stderr, "fareline: %s\n", line.c_str());
  return 2;
}

// One question's arguments, in the order they are declared.
struct Arguments {
  std::map<std::string, std::string> values;
  std::vector<std::string> vary, set;
  std::string plot, plots, csv, data;
  bool json = false, explain = false;
  cli::SimulateArguments simulate;
};

Expected<Json> argument_value(const std::string& question, const std::string& name, const std::string& text) {
  if (name == "model") return cli::model_argument(text);
  if (name == "traffic" && !text.ends_with(".json")) return Json(text);  // a trace is read while it is simulated
  if (const Question* row = question_named(question))
    for (const Input& input : row->inputs)
      if (input.name == name && input.kind == InputKind::document) return cli::document_argument(text);
  return Json(text);
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

// {"activated_experts": "8"} from "activated_experts=8".
Expected<Json> set_inputs(const std::vector<std::string>& set) {
  Json inputs = Json::object();
  for (const std::string& one : set) {
    const auto equals = one.find('=');
    if (equals == 0 || equals == std::string::npos || equals + 1 == one.size())
      return fail("--set", in_quotes(one) + " is no input with its value", "write --set activated_experts=8");
    inputs[one.substr(0, equals)] = one.substr(equals + 1);
  }
  return inputs;
}

// Writes the lecture's pictures below `folder`, which is made where it is not there.
Expected<void> write_plots(const std::string& folder, const Catalogue& catalogue) {
  const auto pictures = lecture_plots(catalogue);
  if (!pictures) return std::unexpected(pictures.error());
  std::error_code code;
  std::filesystem::create_directories(folder, code);
  for (const auto& [name, svg] : *pictures)
    if (const auto written = cli::write_file((std::filesystem::path(folder) / name).string(), svg); !written) return written;
  return {};
}

int answer(const std::string& question, const Arguments& arguments) {
  Json inputs = Json::object();
  if (!arguments.set.empty()) {
    auto set = set_inputs(arguments.set);
    if (!set) return complain(set.error());
    inputs["set"] = std::move(*set);
  }
  for (const auto& [name, value] : arguments.values) {
    if (value.empty()) return complain({"--" + name, "is empty", "write a value"});
    auto written = argument_value(question, name, value);
    if (!written) return complain(written.error());
    inputs[name] = std::move(*written);
  }
  if (arguments.explain && (question == "cost")) inputs["explain"] = "full";
  Json asked{{"question", question}, {"inputs", std::move(inputs)}};
  if (!arguments.vary.empty() || question == "sweep") {
    const std::string of = arguments.values.contains("of") ? arguments.values.at("of") : "cost";
    std::string vary;
    for (std::string v : arguments.vary) {
      if (std::count(v.begin(), v.end(), '=') == 1) std::erase(v, ' ');  // "2 TB/s..8 TB/s" is one range
      vary += (vary.empty() ? "" : " ") + v;
    }
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
  bool interrupted = false;
  const auto ask_of = [&](const Catalogue& catalogue) {
    if (question == "simulate") return cli::simulate(asked, catalogue, arguments.simulate, interrupted);
    if (question != "plan") return ask(asked, catalogue);
    cli::Threads threads;
    return ask_plan(asked, catalogue, threads);
  };
  auto answered = [&]() -> Expected<Json> {
    if (arguments.data.empty()) return ask_of(Catalogue::built_in());
    const auto catalogue = overlaid(arguments.data);
    if (!catalogue) return std::unexpected(catalogue.error());
    return ask_of(*catalogue);
  }();
  if (!answered) {
    Error error = answered.error();
    // What the question calls "tp" is "--tp" here.
    const std::string head = error.where.substr(0, error.where.find_first_of(": "));
    if (arguments.values.contains(head) || head == "vary" || error.what == "is missing") error.where = "--" + error.where;
    return complain(error);
  }
  if (!arguments.plot.empty()) {
    const auto svg = question_named(question)->plot(*answered);
    if (!svg) return complain(svg.error());
    if (const auto written = cli::write_file(arguments.plot, *svg); !written) return complain(written.error());
  }
  if (!arguments.csv.empty()) {
    const auto text = csv_sweep(*answered);
    if (!text) return complain(text.error());
    if (const auto written = cli::write_file(arguments.csv, *text); !written) return complain(written.error());
  }
  if (!arguments.plots.empty())
    if (const auto written = write_plots(arguments.plots, Catalogue::built_in()); !written) return complain(written.error());
  if (arguments.plot == "-" || arguments.csv == "-") return 0;
  const int status = interrupted ? 130 : 0;  // as shells report SIGINT
  const std::string text =
      arguments.json ? answered->dump(2, ' ', false, Json::error_handler_t::replace) + "\n" : cli::rendered(*answered, arguments.explain);
  std::fwrite(text.data(), 1, text.size(), stdout);
  return status;
}

// Answers one question a line, as it comes.
int answer_lines() {
  std::string line;
  int status = 0;
  while (std::getline(std::cin, line)) {
    if (line.empty()) continue;
    const std::string text = ask_text(line, Catalogue::built_in()) + "\n";
    if (text.starts_with("{\"error\"")) status = 2;
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
  }
  return status;
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

// `text` with line breaks, so that the help stays within 110 columns beside the names of the options.
std::string help_text(std::string text) {
  constexpr std::size_t most = 110 - help_column;
  std::size_t line = 0, blank = std::string::npos;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ' ') blank = i;
    if (i - line < most || blank == std::string::npos || blank <= line) continue;
    text[blank] = '\n';
    line = blank + 1;
  }
  return text;
}

std::string group_of(const Input& input) {
  for (const auto& [group, title] : {std::pair{"setting", "Model, system and calibration"},
                                     {"workload", "Workload"},
                                     {"traffic", "Traffic and what it is held to"},
                                     {"fleet", "Fleet"},
                                     {"plan", "Plan: what is left out is chosen"},
                                     {"blackboard", "Model and system: named ones, or numbers in their place"},
                                     {"promise", "What it is held to"},
                                     {"money", "Pace and money"},
                                     {"prices", "Prices of an API"}})
    if (input.group == group) return title;
  return "Question";
}

void add_inputs(CLI::App& command, const Question& question, Arguments& arguments, bool positional) {
  for (const Input& input : question.inputs) {
    std::string help(input.summary);
    if (!input.choices.empty()) {
      std::string choices(input.choices);
      for (std::size_t i = 0; (i = choices.find(',', i)) != std::string::npos; i += 2) choices.replace(i, 1, ", ");
      help += ": " + choices;
    }
    if (!input.value.empty()) help += fmt::format(" [{}]", input.value);
    else if (input.reason == "has no default") help += " [required]";
    else if (!input.reason.empty()) help += fmt::format(" [{}]", input.reason);
    const std::string name = positional ? std::string(input.name) : "--" + std::string(input.name);
    const auto keep = [&arguments, key = std::string(input.name)](const std::string& value) { arguments.values[key] = value; };
    CLI::Option* option = command.add_option_function<std::string>(name, keep, help_text(std::move(help)))->type_name("");
    if (!positional) option->group(group_of(input));
  }
}

// Arguments with "--memory-fraction" written as the input is: "--memory_fraction".
std::vector<std::string> spelled(int argc, char** argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  for (std::string& word : words) {
    if (!word.starts_with("--")) continue;
    const auto end = std::min(word.find('='), word.size());
    std::string name = word.substr(2, end - 2);
    std::replace(name.begin(), name.end(), '-', '_');
    for (const Question& question : questions())
      if (std::any_of(question.inputs.begin(), question.inputs.end(), [&](const Input& input) { return input.name == name; }))
        word = "--" + name + word.substr(end);
  }
  // An input of yes and no may stand alone: "--prefix-cache".
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (!words[i].starts_with("--") || (i + 1 < words.size() && !words[i + 1].starts_with("-"))) continue;
    for (const Question& question : questions())
      if (question.name == words.front())
        for (const Input& input : question.inputs)
          if (input.choices == "no,yes" && words[i] == "--" + std::string(input.name))
            words.insert(words.begin() + static_cast<std::ptrdiff_t>(++i), "yes");
  }
  return words;
}

// What CLI11 could not place, as one error.
Error unknown_argument(const CLI::App& app) {
  std::vector<std::string> known, left = app.remaining(true);
  for (const CLI::App* command : app.get_subcommands())
    for (const CLI::Option* option : command->get_options()) known.push_back(option->get_name());
  const auto flag = std::find_if(left.begin(), left.end(), [](const std::string& word) { return word.starts_with("-"); });
  const std::string word = flag != left.end() ? flag->substr(0, flag->find('=')) : left.empty() ? std::string("an argument") : left.front();
  const std::string near = nearest_names(word, known);
  const std::string help = app.get_subcommands().empty() ? "" : app.get_subcommands().front()->get_name() + " ";
  return {in_quotes(word), "is not known here", near.empty() ? fmt::format("see fareline {}--help", help) : near};
}

// "--tp: 1 required TEXT missing" and its like, in our words.
Error wrong_count(const std::string& text) {
  const std::string name = text.substr(0, text.find(':'));
  if (text.find("received") != std::string::npos) return {name, "is given twice", "give it once"};
  return {name, "has no value", "write one behind it"};
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"fareline says what a token costs, how fast it comes, and why."};
  app.name("fareline");
  app.set_version_flag("--version", std::string("fareline 0.1.0"));
  app.require_subcommand(1);
  app.get_formatter()->column_width(help_column);
  app.footer("fareline QUESTION --help says what a question takes.\n"
             "Example: fareline cost --model deepseek-ai/DeepSeek-V3 --system gb200-nvl72 --prompt 4096 --output 512");
  Arguments arguments;
  for (const Question& question : questions()) {
    CLI::App& command = *app.add_subcommand(std::string(question.name), std::string(question.summary));
    const char* about = "A number with a unit is one word or quoted: 50ms, \"2.5 USD/h\". --explain tells the reason of every default.\n";
    command.footer(fmt::format("{}Example: fareline {} {}", question.name == "list" || question.name == "show" ? "" : about, question.name,
                               question.example));
    const bool catalogue = question.name == "list" || question.name == "show";
    if (question.name == "sweep") {
      command
          .add_option_function<std::string>(
              "of", [&arguments](const std::string& value) { arguments.values["of"] = value; },
              "the question asked at each point: cost, latency, step or memory")
          ->type_name("");
      command.add_option("--vary", arguments.vary, "input=first..last[:points[:linear]] or input=a,b,c; once or twice")->type_name("");
      command
          .add_option_function<std::string>(
              "--show", [&arguments](const std::string& value) { arguments.values["show"] = value; },
              "paths of the answer, comma separated: price.output,latency.tpot")
          ->type_name("");
      command.add_option("--csv", arguments.csv, "write the columns as CSV here (- for standard output)")->type_name("FILE");
      std::vector<Input> all;
      for (const Question& inner : questions()) {
        if (inner.name != "cost" && inner.name != "step" && inner.name != "memory") continue;  // what can be swept
        for (const Input& input : inner.inputs)
          if (std::none_of(all.begin(), all.end(), [&](const Input& i) { return i.name == input.name; })) all.push_back(input);
      }
      add_inputs(command, {.name = question.name, .inputs = all}, arguments, false);
    } else if (question.name == "lecture") {
      add_inputs(command, {.name = question.name, .inputs = question.inputs.first(1)}, arguments, true);
      command.add_option("--set", arguments.set, "input=value: asks one figure otherwise; as often as needed")->type_name("");
      command.add_option("--plots", arguments.plots, "a folder; every curve of the blackboard is written there as SVG")->type_name("DIR");
    } else {
      add_inputs(command, question, arguments, catalogue);
      if (question.name == "cost" || question.name == "step") command.remove_option(command.get_option_no_throw("--explain"));
      if (!catalogue) command.add_flag("--explain", arguments.explain, "show where every number comes from");
    }
    if (question.name == "simulate") cli::add_simulate_options(command, arguments.simulate);
    if (question.plot)
      command.add_option("--plot", arguments.plot, "write the picture as SVG here (- for standard output)")->type_name("FILE");
    command.add_flag("--json", arguments.json, "answer as JSON");
    command.add_option("--data", arguments.data, "a folder laid out as data/ whose files are added to the catalogue or replace its own")
        ->type_name("DIR");
    command.callback([&question, &arguments] { throw CLI::RuntimeError(answer(std::string(question.name), arguments)); });
  }
  cli::add_validate(app, overlaid, complain);
  cli::add_calibrate(app, overlaid, complain);
  cli::add_measure(app, complain);
  cli::add_serve(app, complain);
  CLI::App& lines = *app.add_subcommand("ask", "answer questions from standard input, one JSON object a line");
  lines.footer("Example: echo '{\"question\":\"list\",\"inputs\":{\"kind\":\"chips\"}}' | fareline ask");
  lines.callback([] { throw CLI::RuntimeError(answer_lines()); });
  std::string folder;
  CLI::App& docs = *app.add_subcommand("docs", "write the reference documentation, from the tables the program works by");
  docs.add_option("folder", folder, "where its pages are written")->type_name("DIR")->required();
  docs.footer("Example: fareline docs docs/reference");
  docs.callback([&folder] { throw CLI::RuntimeError(write_reference(folder)); });
  try {
    auto words = spelled(argc, argv);
    if (words.empty())
      return complain({"", "nothing is asked",
                       "write e.g. fareline cost --model deepseek-ai/DeepSeek-V3 --system gb200-nvl72 --prompt 4096 --output 512"});
    std::vector<std::string> known;
    for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) known.push_back(command->get_name());
    if (!words.front().starts_with("-") && std::find(known.begin(), known.end(), words.front()) == known.end()) {
      const std::string near = nearest_names(words.front(), known);
      return complain({in_quotes(words.front()), "is not a question", near.empty() ? "see fareline --help" : near});
    }
    std::reverse(words.begin(), words.end());  // CLI11 takes them from the back
    app.parse(std::move(words));
  } catch (const CLI::RuntimeError& done) {
    return done.get_exit_code();
  } catch (const CLI::Success& success) {
    return app.exit(success);
  } catch (const CLI::ExtrasError&) {
    return complain(unknown_argument(app));
  } catch (const CLI::ArgumentMismatch& error) {
    return complain(wrong_count(error.what()));
  } catch (const CLI::ParseError& error) {
    return complain({"", error.what(), "see fareline --help"});
  }
  return 0;
}
