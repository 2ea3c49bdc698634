// SPDX-License-Identifier: Apache-2.0
// The Python module fareline._core: the question table, asking, and what is made of an answer. fareline/ dresses it.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>
#include <pybind11/pybind11.h>

#include "api/asking.h"
#include "api/json_text.h"
#include "api/question.h"
#include "api/simulate.h"
#include "apps/cli/arguments.h"
#include "apps/cli/files.h"
#include "apps/cli/render.h"
#include "truth/gzip_bytes.h"
#include "units/text.h"

namespace py = pybind11;

namespace fareline::python {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t trace_bytes = 4'000'000'000;
constexpr int deepest = 200;  // nesting of what is given: above what any document may have

// ── errors ──

[[noreturn]] void refuse(const Error& error) {
  const py::object type = py::module_::import("fareline._answers").attr("Error");
  const py::object raised = type(error.where, error.what, error.remedy);
  PyErr_SetObject(type.ptr(), raised.ptr());
  throw py::error_already_set();
}

template <class T>
T or_refuse(Expected<T> value) {
  if (!value) refuse(value.error());
  return std::move(*value);
}

// ── what is given ──

std::string text_of(py::handle value, const std::string& where) {
  Py_ssize_t size = 0;
  const char* text = PyUnicode_AsUTF8AndSize(value.ptr(), &size);
  if (text) return {text, static_cast<std::size_t>(size)};
  PyErr_Clear();
  refuse({where, "holds characters that are no Unicode", "write it in UTF-8"});
}

bool is_number(py::handle value) {
  return PyLong_Check(value.ptr()) || PyFloat_Check(value.ptr()) ||
         (PyObject_HasAttrString(value.ptr(), "dtype") && PyObject_HasAttrString(value.ptr(), "item") && PyNumber_Check(value.ptr()));
}

// Whole numbers that JSON holds as such; larger ones become doubles, as they do where JSON is read.
Json number_of(py::handle given, const std::string& where) {
  py::object value = py::reinterpret_borrow<py::object>(given);
  if (PyObject_HasAttrString(value.ptr(), "dtype")) value = value.attr("item")();  // a scalar of NumPy
  if (PyLong_Check(value.ptr())) {
    int overflow = 0;
    const long long whole = PyLong_AsLongLongAndOverflow(value.ptr(), &overflow);
    if (overflow == 0) return whole;
  }
  const double number = PyFloat_AsDouble(value.ptr());
  if (!PyErr_Occurred() && std::isfinite(number)) return number;
  PyErr_Clear();
  refuse({where, "is not finite", "write a finite number"});
}

// In the order in which JSON is read: by name, so that of several mistakes the same one is named.
using Members = std::map<std::string, Json>;
Json object_of(Members members) {
  Json object = Json::object();
  for (auto& [name, member] : members) object[name] = std::move(member);
  return object;
}

Json document_of(py::handle value, const std::string& where, int depth = 0) {
  PyObject* p = value.ptr();
  if (depth > deepest) refuse({where, "is nested too deep", "give a document as published"});
  if (p == Py_None) return nullptr;
  if (PyBool_Check(p)) return p == Py_True;
  if (PyUnicode_Check(p)) return text_of(value, where);
  if (PyDict_Check(p)) {
    Members members;
    for (const auto& [name, member] : py::reinterpret_borrow<py::dict>(value)) {
      if (!PyUnicode_Check(name.ptr())) refuse({where, "has a member whose name is no text", "name members by text"});
      members.insert_or_assign(text_of(name, where), document_of(member, where, depth + 1));
    }
    return object_of(std::move(members));
  }
  if (PyList_Check(p) || PyTuple_Check(p)) {
    Json list = Json::array();
    for (const py::handle element : py::reinterpret_borrow<py::sequence>(value)) list.push_back(document_of(element, where, depth + 1));
    return list;
  }
  if (is_number(value)) return number_of(value, where);
  refuse({where, "is of type " + in_quotes(Py_TYPE(p)->tp_name), "give text, a number, a list or a dict"});
}

// One input as JSON: a path is read where a model or a document is due, a quantity written with its unit, True is yes.
Json input_of(const Question& question, const std::string& name, py::handle value) {
  PyObject* p = value.ptr();
  const Input* input = nullptr;
  for (const Input& row : question.inputs)
    if (row.name == name) input = &row;
  const bool path = !PyUnicode_Check(p) && PyObject_HasAttrString(p, "__fspath__");
  if (path || PyUnicode_Check(p)) {
    const std::string text = path ? text_of(py::module_::import("os").attr("fsdecode")(value), name) : text_of(value, name);
    if (text.empty()) refuse({name, "is empty", "write a value"});
    if (input && input->kind == InputKind::model) return or_refuse(cli::model_argument(text));
    const bool trace = name == "traffic" && !text.ends_with(".json");  // read while it is simulated
    if (input && input->kind == InputKind::document && !trace) return or_refuse(cli::document_argument(text));
    return text;
  }
  if (PyBool_Check(p)) return p == Py_True ? "yes" : "no";
  if (PyFloat_Check(p) && PyObject_HasAttrString(p, "unit")) {  // a quantity of an answer
    const std::string unit = text_of(value.attr("unit"), name), number = Json(PyFloat_AsDouble(p)).dump();
    return unit == "1" ? number : number + " " + unit;
  }
  if (is_number(value)) {
    Json number = number_of(value, name);
    return input && !is_numeric(input->kind) ? Json(number.dump()) : number;
  }
  Json document = document_of(value, name);
  if (input && input->kind == InputKind::model && document.is_object() && !document.contains("config"))
    return Json{{"config", std::move(document)}};
  return document;
}

Json inputs_of(const Question& question, const py::dict& given) {
  Members inputs;
  for (const auto& [name, value] : given) {
    const std::string key = text_of(name, "inputs");
    if (question.name == "sweep" && key == "inputs" && PyDict_Check(value.ptr())) {
      const Question* of = given.contains("of") ? question_named(text_of(py::str(given["of"]), "of")) : nullptr;
      inputs.emplace(key, inputs_of(of ? *of : *question_named("cost"), py::reinterpret_borrow<py::dict>(value)));
    } else {
      inputs.emplace(key, input_of(question, key, value));
    }
  }
  return object_of(std::move(inputs));
}

// ── what is answered ──

py::object object_of(const Json& json) {
  switch (json.type()) {
    case Json::value_t::boolean: return py::bool_(json.get<bool>());
    case Json::value_t::number_integer: return py::int_(json.get<std::int64_t>());
    case Json::value_t::number_unsigned: return py::int_(json.get<std::uint64_t>());
    case Json::value_t::number_float: return py::float_(json.get<double>());
    case Json::value_t::string: {
      const std::string& text = json.get_ref<const std::string&>();
      return py::reinterpret_steal<py::object>(PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace"));
    }
    case Json::value_t::array: {
      py::list list(json.size());
      for (std::size_t i = 0; i < json.size(); ++i) list[i] = object_of(json[i]);
      return list;
    }
    case Json::value_t::object: {
      py::dict object;
      for (const auto& [name, member] : json.items()) object[py::str(name)] = object_of(member);
      return object;
    }
    default: return py::none();
  }
}

// An answer as the core gave it; turned into Python's objects where these are looked at.
struct Answered {
  Json whole;

  const Json& member(const std::string& name) const {
    static const Json none;
    return whole.contains(name) ? whole[name] : none;
  }
  // The values of a column of a sweep as eight bytes each, or as a list where they are text.
  py::object values(const std::string& group, std::size_t index, const std::string& name) const {
    const Json& columns = whole["answer"][group];
    if (index >= columns.size() || !columns[index].contains(name)) return py::none();
    const Json& column = columns[index][name];
    if (!column.empty() && column.front().is_string()) return object_of(column);
    std::vector<double> numbers;
    numbers.reserve(column.size());
    for (const Json& value : column) numbers.push_back(value.is_number() ? value.get<double>() : std::numeric_limits<double>::quiet_NaN());
    return py::bytes(reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(double));
  }
  // Name and unit of each column.
  py::list heads(const std::string& group) const {
    py::list rows;
    for (const Json& column : whole["answer"][group]) rows.append(py::make_tuple(object_of(column["name"]), object_of(column["unit"])));
    return rows;
  }
  std::size_t points() const { return whole["answer"]["infeasible"].size(); }
  std::string json(const py::object& indent) const {
    return (indent.is_none() ? json_text(whole) : whole.dump(indent.cast<int>(), ' ', false, Json::error_handler_t::replace)) + "\n";
  }
  std::string text(bool explain) const { return cli::rendered(whole, explain); }
  py::object plot() const {
    const Question* question = question_named(whole["question"].get<std::string>());
    if (!question || !question->plot) return py::none();
    const auto svg = question->plot(whole);
    return svg ? py::object(py::str(*svg)) : py::object(py::none());
  }
};

// The bytes of a file, read whole.
class FileBytes : public ByteSource {
 public:
  explicit FileBytes(std::string text) : text_(std::move(text)) {}
  Expected<std::string_view> next() override {
    const std::string_view all = given_ ? std::string_view() : std::string_view(text_);
    given_ = true;
    return all;
  }

 private:
  std::string text_;
  bool given_ = false;
};

// What a simulation has here: files as traffic, and whoever watches it.
class Machine : public Surroundings {
 public:
  Machine(const Watch& watch, double requests) : watch_(watch), requests_(requests) {}
  Expected<std::unique_ptr<ByteSource>> open(const std::string& path) override {
    auto text = cli::read_file(path, trace_bytes);
    if (!text) return std::unexpected(text.error());
    return inflated(std::make_unique<FileBytes>(std::move(*text)));
  }
  bool go_on(const Totals& totals, const Save&) override {
    return watch_(requests_ > 0 ? std::min(1.0, static_cast<double>(totals.requests) / requests_) : 0);
  }

 private:
  const Watch& watch_;
  double requests_;
};

// How many requests a simulation is asked for; 0 where it is not said.
double requests_due(const Json& asked) {
  const Json inputs = asked.value("inputs", Json::object());
  const Json requests = inputs.is_object() ? inputs.value("requests", Json()) : Json();
  if (requests.is_number()) return requests.get<double>();
  if (!requests.is_string()) return 0;
  const auto count = parse_count(requests.get_ref<const std::string&>());
  return count ? static_cast<double>(*count) : 0;
}

// Asks without holding Python's lock. Signals are seen to, and `progress` is told, some twenty times a second.
Answered ask_document(const Json& asked, const py::object& progress) {
  bool stopped = false;
  auto last = std::chrono::steady_clock::now();
  const Watch watch = [&](double done) {
    const auto now = std::chrono::steady_clock::now();
    if (now - last < std::chrono::milliseconds(50)) return true;
    last = now;
    const py::gil_scoped_acquire lock;
    stopped = PyErr_CheckSignals() != 0;
    if (!stopped && !progress.is_none()) stopped = !py::reinterpret_steal<py::object>(PyObject_CallFunction(progress.ptr(), "d", done));
    return !stopped;
  };
  auto answer = [&] {
    const py::gil_scoped_release free;
    if (asked.value("question", Json()) != "simulate") return ask_watched(asked, Catalogue::built_in(), watch);
    Machine machine(watch, requests_due(asked));
    return ask_simulation(asked, Catalogue::built_in(), machine);
  }();
  if (stopped) throw py::error_already_set();
  if (!answer) refuse(answer.error());
  return {std::move(*answer)};
}

Answered ask_question(const std::string& name, const py::dict& given, const py::object& progress) {
  static constexpr Question none{.name = "", .summary = "", .example = "", .inputs = {}, .answer = nullptr};
  const Question* question = question_named(name);
  return ask_document({{"question", name}, {"inputs", inputs_of(question ? *question : none, given)}}, progress);
}

py::list question_rows() {
  py::list rows;
  for (const Question& question : questions()) {
    py::list inputs;
    for (const Input& input : question.inputs) {
      static constexpr const char* kinds[] = {"text", "model", "count", "number", "quantity", "choice", "document"};
      py::dict row;
      row["name"] = std::string(input.name);
      row["kind"] = kinds[static_cast<std::size_t>(input.kind)];
      row["value"] = std::string(input.value);
      row["reason"] = std::string(input.reason);
      row["summary"] = std::string(input.summary);
      row["choices"] = std::string(input.choices);
      row["unit"] = input.kind == InputKind::quantity ? unit_name(input.dim) : std::string();
      inputs.append(row);
    }
    py::dict row;
    row["name"] = std::string(question.name);
    row["summary"] = std::string(question.summary);
    row["example"] = std::string(question.example);
    row["inputs"] = inputs;
    row["plot"] = question.plot != nullptr;
    rows.append(row);
  }
  return rows;
}

}  // namespace
}  // namespace fareline::python

PYBIND11_MODULE(_core, module) {
  using namespace fareline::python;
  py::class_<Answered>(module, "Answered")
      .def("member", [](const Answered& a, const std::string& name) { return object_of(a.member(name)); })
      .def("values", &Answered::values)
      .def("heads", &Answered::heads)
      .def("points", &Answered::points)
      .def("json", &Answered::json)
      .def("text", &Answered::text)
      .def("plot", &Answered::plot);
  module.attr("version") = FARELINE_VERSION;
  module.def("ask", &ask_question);
  module.def("ask_document", [](const py::dict& question, const py::object& progress) {
    return ask_document(document_of(question, "question"), progress);
  });
  module.def("questions", &question_rows);
  module.def("quantity_text", [](double value, const std::string& unit) { return fareline::cli::quantity_text(value, unit); });
}
