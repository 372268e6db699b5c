#include "worker/worker.hpp"

#include "worker/fault.hpp"

#include <cmath>
#include <exception>
#include <iostream>
#include <optional>
#include <unistd.h>

#include <nlohmann/json.hpp>

namespace torchkiln::verifier {
namespace {

using Json = nlohmann::ordered_json;

/// JSON has no NaN and no infinity; as texts they reach the judge, who fails them.
Json number_json(double number) {
  if (std::isfinite(number)) return number;
  return std::isnan(number) ? "nan" : number > 0 ? "inf" : "-inf";
}

Json value_json(const Value& value) {
  if (const auto* number = std::get_if<double>(&value)) return number_json(*number);
  return std::get<std::string>(value);
}

Json details_json(const Details& details) {
  Json json = Json::object();
  for (const auto& detail : details) {
    if (const auto* text = std::get_if<std::string>(&detail.value)) {
      json[detail.name] = *text;
    } else if (const auto* number = std::get_if<double>(&detail.value)) {
      json[detail.name] = number_json(*number);
    } else {
      auto& curve = json[detail.name] = Json::array();
      for (const double point : std::get<std::vector<double>>(detail.value)) curve.push_back(number_json(point));
    }
  }
  return json;
}

Json facts_json(const Facts& facts) {
  Json json = {{"versions", Json::object()}, {"host", Json::object()}};
  for (const auto& [name, text] : facts.versions) json["versions"][name] = text;
  for (const auto& [name, text] : facts.host) json["host"][name] = text;
  if (facts.looked_for_gpus == Facts::Gpus::looked) {
    auto& gpus = json["host"]["gpus"] = Json::array();
    for (const auto& gpu : facts.gpus) {
      gpus.push_back({{"index", gpu.index},
                      {"name", gpu.name},
                      {"uuid_sha256", gpu.uuid_sha256},
                      {"compute_capability", gpu.compute_capability},
                      {"memory_bytes", gpu.memory_bytes}});
    }
  }
  return {{"facts", std::move(json)}};
}

Json outcome_json(const std::string& id, const Outcome& outcome) {
  Json json = {{"test", id}};
  if (const auto* failure = std::get_if<Failure>(&outcome)) {
    json["failure"] = failure->reason;
    json["fault"] = failure->fault == Fault::host ? "host" : "image";
    json["details"] = details_json(failure->details);
    return json;
  }
  const auto& measurement = std::get<Measurement>(outcome);
  json["measured"] = value_json(measurement.value);
  json["details"] = details_json(measurement.details);
  if (!measurement.warning.empty()) json["warning"] = measurement.warning;
  return json;
}

std::optional<std::string> text_member(const Json& json, const char* name) {
  const auto found = json.find(name);
  if (found == json.end() || !found->is_string()) return std::nullopt;
  return found->get<std::string>();
}

/// The next line as an object; null at the end of the input, something else when it is not an object.
Json read_line() {
  std::string line;
  if (!std::getline(std::cin, line)) return nullptr;
  return Json::parse(line, nullptr, /*allow_exceptions=*/false);
}

std::optional<Context> read_context() {
  const auto json = read_line();
  if (!json.is_object()) return std::nullopt;
  const auto scratch = text_member(json, "scratch");
  const auto prefix = text_member(json, "prefix");
  const auto site_packages = text_member(json, "site_packages");
  const auto seed = json.find("seed");
  const auto soak = json.find("soak_s");
  if (!scratch || !prefix || !site_packages || seed == json.end() || !seed->is_number_unsigned() ||
      soak == json.end() || !soak->is_number())
    return std::nullopt;
  return Context{seed->get<std::uint64_t>(), *scratch, *prefix, *site_packages, soak->get<double>()};
}

Outcome run_test(const Registry& registry, const std::string& id, const Context& context) {
  const auto found = registry.find(id);
  if (found == registry.end()) return Failure{"this program has no test of that name", Fault::image, {}};
  try {
    return found->second(context);
  } catch (const std::exception& error) {
    // torch's errors go on for pages; their first line says what is wrong.
    const std::string text = error.what();
    const auto end_of_line = text.find('\n');
    if (end_of_line == std::string::npos) return Failure{text, fault_of(text), {}};
    return Failure{text.substr(0, end_of_line), fault_of(text), {{"error", text}}};
  }
}

/// The way back to the supervisor: the original standard output, after which standard output is standard error.
class Answers {
 public:
  Answers() : m_descriptor(dup(STDOUT_FILENO)) { dup2(STDERR_FILENO, STDOUT_FILENO); }

  void send(const Json& answer) const {
    const std::string line = answer.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
    for (std::size_t sent = 0; sent < line.size();) {
      const auto count = write(m_descriptor, line.data() + sent, line.size() - sent);
      if (count <= 0) _exit(3);  // nobody listens any more
      sent += static_cast<std::size_t>(count);
    }
  }

 private:
  int m_descriptor;
};

}  // namespace

int run_worker(const Registry& registry, const std::function<Facts(const Context&)>& gather_facts) {
  const Answers answers;
  const auto context = read_context();
  if (!context) {
    std::cerr << "the first line of standard input is not one that this program knows\n";
    return 2;
  }
  answers.send(facts_json(gather_facts(*context)));
  while (true) {
    const auto json = read_line();
    if (json.is_null()) return 0;
    const auto id = json.is_object() ? text_member(json, "test") : std::nullopt;
    if (!id) {
      std::cerr << "a line of standard input names no test\n";
      return 2;
    }
    answers.send(outcome_json(*id, run_test(registry, *id, *context)));
  }
}

}  // namespace torchkiln::verifier
