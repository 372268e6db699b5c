// Ansible facts. Ansible itself tells the architecture; driver and GPUs come from a custom fact of the machine
// (/etc/ansible/facts.d/NAME.fact), which appears below ansible_local: docs/inventory.md has one.

#include "foundation/base/text.hpp"
#include "knowledge/host/fields.hpp"
#include "knowledge/host/inventory_kinds.hpp"

namespace torchkiln::host {

using base::Result;
using document::JsonValue;

namespace {

/// The facts in `object`: itself, or its ansible_facts, as `ansible -m setup --tree` writes them. Inside those the
/// names may have lost their "ansible_".
Result<JsonValue> facts_of(const JsonValue& object) {
  TK_TRY(const auto inner, object.find("ansible_facts"));
  return inner ? *inner : object;
}

Result<std::optional<JsonValue>> fact(const JsonValue& facts, std::string_view name) {
  TK_TRY(auto found, facts.find("ansible_" + std::string(name)));
  if (found) return found;
  return facts.find(name);
}

Result<std::string> text_of(const JsonValue& facts, std::string_view name) {
  TK_TRY(const auto value, fact(facts, name));
  return value && value->json().is_string() ? value->json().get<std::string>() : std::string();
}

/// The custom fact that is ours by name: what is wrong in it is an Error. In others it is a note: they may use the
/// same keys for something else.
constexpr std::string_view k_own_fact = "torchkiln";

/// A custom fact with our own keys, or with driver_version for the driver.
Result<void> read_local(const JsonValue& local, const std::string& source, Machine& machine) {
  const auto& json = local.json();
  if (!json.is_object()) return {};
  if (!machine.driver && json.contains("driver_version") && json["driver_version"].is_string())
    machine.driver = driver_fact(json["driver_version"].get_ref<const std::string&>(), source + ": driver_version",
                                 machine.notes);
  if (!json.contains("driver") && !json.contains("gpus")) return {};
  return read_own_fields(local, source, OtherKeys::skip, machine);
}

Result<Machine> read_host(const JsonValue& object, std::string name, const std::string& file) {
  TK_TRY(const auto facts, facts_of(object));
  Machine machine;
  for (const std::string_view known : {"hostname", "nodename", "fqdn"})
    if (name.empty()) {
      TK_TRY(name, text_of(facts, known));
    }
  auto checked = parse_machine_name(name.empty() ? stem(file) : name);
  if (!checked) return facts.wrong("is wrong: " + checked.error().message);
  machine.name = std::move(*checked);
  TK_TRY(const auto architecture, text_of(facts, "architecture"));
  if (auto parsed = parse_machine_architecture(architecture))
    machine.architecture = Fact<matrix::Architecture>{*parsed, file + ": ansible_architecture"};
  else if (!architecture.empty())
    machine.notes.push_back(file + ": ansible_architecture: " + printable(parsed.error().message));
  TK_TRY(const auto local, fact(facts, "local"));
  if (local && local->json().is_object()) {
    TK_TRY(const auto members, local->members());
    for (const auto& [key, value] : members) {
      auto read = read_local(value, file + ": ansible_local." + printable(key), machine);
      if (read) continue;
      if (key == k_own_fact) return base::fail(std::move(read).error());
      machine.notes.push_back(file + ": " + printable(read.error().message));
    }
  }
  if (!machine.driver && machine.gpus.empty() && machine.without_gpu.empty())
    machine.notes.push_back(file + ": no fact below ansible_local names a driver or GPUs");
  return machine;
}

}  // namespace

Machines read_ansible(const JsonValue& root, const std::string& file) {
  std::vector<Machine> machines;
  TK_TRY(const auto members, root.members());
  for (const auto& [key, value] : members)
    if (key.starts_with("ansible_")) {
      TK_TRY(auto machine, read_host(root, "", file));
      machines.push_back(std::move(machine));
      return machines;
    }
  for (const auto& [key, value] : members) {
    if (!value.json().is_object()) continue;
    TK_TRY(auto machine, read_host(value, key, file));
    machines.push_back(std::move(machine));
  }
  return machines;
}

}  // namespace torchkiln::host
