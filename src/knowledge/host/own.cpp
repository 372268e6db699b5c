// An inventory of our own, in TOML and in JSON.

#include "foundation/base/text.hpp"
#include "foundation/document/document.hpp"
#include "knowledge/host/fields.hpp"
#include "knowledge/host/inventory_kinds.hpp"

#include <algorithm>
#include <array>
#include <set>

namespace torchkiln::host {

using base::ErrorCode;
using base::Result;
using document::JsonValue;
using document::Placed;
using document::Table;

namespace {

constexpr std::string_view k_schema = "torchkiln.hosts/1";

template <class T>
std::optional<Fact<T>> fact_of(std::optional<Placed<T>> value) {
  if (!value) return std::nullopt;
  return Fact<T>{std::move(value->value), value->place.to_string()};
}

Machine read_table(Table table) {
  Machine machine;
  if (!table.has("name")) table.missing("name");
  if (auto name = table.parsed("name", parse_machine_name)) machine.name = std::move(name->value);
  machine.driver = fact_of(table.parsed("driver", version::DriverVersion::parse));
  if (auto gpus = table.parsed_each("gpus", parse_gpus))
    for (auto& gpu : *gpus) {
      gpu.value.source = gpu.place.to_string();
      add_gpu(machine.gpus, std::move(gpu.value));
    }
  if (table.has("gpus") && machine.gpus.empty()) machine.without_gpu = table.place().to_string();
  machine.architecture = fact_of(table.parsed("arch", parse_machine_architecture));
  machine.glibc = fact_of(table.parsed("glibc", version::Version::parse));
  machine.compat_package = fact_of(table.parsed("compat", parse_compat_package));
  machine.injection = fact_of(table.parsed("runtime", parse_injection));
  table.finish();
  return machine;
}

/// The text at `key` given to `parse`; its Error gets the place.
template <class T, class Parse>
Result<void> put(const JsonValue& object, std::string_view key, const std::string& source, Parse parse,
                 std::optional<Fact<T>>& fact) {
  TK_TRY(const auto value, object.find(key));
  if (!value) return {};
  TK_TRY(const auto text, value->text());
  auto parsed = parse(text);
  if (!parsed) return value->wrong("is wrong: " + parsed.error().message);
  fact = Fact<T>{std::move(*parsed), source + ": " + std::string(key)};
  return {};
}

Result<void> put_gpus(const JsonValue& object, const std::string& source, Machine& machine) {
  TK_TRY(const auto list, object.find("gpus"));
  if (!list) return {};
  TK_TRY(const auto items, list->items());
  for (const auto& item : items) {
    TK_TRY(const auto text, item.text());
    auto gpus = parse_gpus(text);
    if (!gpus) return item.wrong("is wrong: " + gpus.error().message);
    gpus->source = source + ": gpus";
    add_gpu(machine.gpus, std::move(*gpus));
  }
  if (items.empty()) machine.without_gpu = source + ": gpus";
  return {};
}

Result<void> check_json_keys(const JsonValue& object, std::span<const std::string> known) {
  for (const auto& [key, value] : object.json().items()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    const auto guess = base::nearest(key, known);
    auto error = std::move(object.wrong("has an unknown key \"" + key + "\"")).value();
    error.hints.push_back(guess ? "did you mean \"" + *guess + "\"?" : "known keys are " + base::join(known, ", "));
    return base::fail(std::move(error));
  }
  return {};
}

}  // namespace

Machines read_own_toml(std::string_view text, const std::string& file) {
  TK_TRY(auto document, document::Document::parse(text, file, ErrorCode::input_invalid));
  auto root = document.root();
  if (const auto schema = root.text("schema"); schema && schema->value != k_schema)
    root.reject("this is no inventory of hosts: its schema is \"" + printable(schema->value) + "\"", schema->place,
                {"the schema of an inventory is " + std::string(k_schema)});
  std::vector<Machine> machines;
  std::set<std::string> names;
  for (const auto& table : root.tables("host")) {
    machines.push_back(read_table(table));
    const auto& name = machines.back().name;
    if (!name.empty() && !names.insert(name).second)
      root.reject("the host \"" + name + "\" is named twice", table.place());
  }
  root.finish();
  TK_CHECK(document.check());
  return machines;
}

Result<void> read_own_fields(const JsonValue& object, const std::string& source, OtherKeys others,
                             Machine& machine) {
  const std::vector<std::string> known{"name", "driver", "gpus", "arch", "glibc", "compat", "runtime"};
  if (others == OtherKeys::refuse) TK_CHECK(check_json_keys(object, known));
  TK_CHECK(put(object, "driver", source, version::DriverVersion::parse, machine.driver));
  TK_CHECK(put_gpus(object, source, machine));
  TK_CHECK(put(object, "arch", source, parse_machine_architecture, machine.architecture));
  TK_CHECK(put(object, "glibc", source, version::Version::parse, machine.glibc));
  TK_CHECK(put(object, "compat", source, parse_compat_package, machine.compat_package));
  return put(object, "runtime", source, parse_injection, machine.injection);
}

Machines read_own_json(const JsonValue& root, const std::string& file) {
  TK_CHECK(check_json_keys(root, std::vector<std::string>{"schema", "host"}));
  TK_TRY(const auto schema, root.text_or_empty("schema"));
  if (!schema.empty() && schema != k_schema)
    return root.wrong("has the schema \"" + schema + "\", not \"" + std::string(k_schema) + "\"");
  TK_TRY(const auto list, root.member("host"));
  TK_TRY(const auto items, list.items());
  std::vector<Machine> machines;
  std::set<std::string> names;
  for (const auto& item : items) {
    Machine machine;
    TK_TRY(const auto written, item.member("name"));
    TK_TRY(const auto text, written.text());
    auto name = parse_machine_name(text);
    if (!name) return written.wrong("is wrong: " + name.error().message);
    machine.name = std::move(*name);
    if (!names.insert(machine.name).second) return written.wrong("names the host \"" + machine.name + "\" twice");
    TK_CHECK(read_own_fields(item, file + ": " + machine.name, OtherKeys::refuse, machine));
    machines.push_back(std::move(machine));
  }
  return machines;
}

}  // namespace torchkiln::host
