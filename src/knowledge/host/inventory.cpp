#include "foundation/base/text.hpp"
#include "knowledge/host/fields.hpp"
#include "knowledge/host/inventory_kinds.hpp"
#include "knowledge/host/nvidia_smi.hpp"

#include <algorithm>
#include <filesystem>

namespace torchkiln::host {

using base::ErrorCode;
using base::Result;
using document::JsonValue;

namespace {

/// A node of kubectl is nine levels deep; managedFields, where shown, nest by the depth of the object.
constexpr unsigned k_json_depth_max = 64;

base::Unexpected not_known(const std::string& file, std::string message, std::vector<std::string> hints = {}) {
  if (hints.empty())
    hints.emplace_back(
        "inventories are TOML or JSON of our own, CSV, nvidia-smi -q -x, kubectl get nodes -o json, scontrol show "
        "node, dcgm-exporter metrics, Ansible facts");
  return base::fail_at(ErrorCode::input_invalid, base::Place{file}, std::move(message), std::move(hints));
}

bool has_line(std::string_view text, std::string_view beginning) {
  if (text.starts_with(beginning)) return true;
  const std::string wanted = "\n" + std::string(beginning);
  return text.find(wanted) != std::string_view::npos;
}

/// Whether an object looks like the facts of one host.
bool has_facts(const document::ParsedJson& value) {
  if (!value.is_object()) return false;
  for (const auto& [key, unused] : value.items())
    if (key.starts_with("ansible_")) return true;
  return false;
}

Machines read_json(std::string_view text, const std::string& file) {
  TK_TRY(const auto root, JsonValue::parse(text, file, {k_inventory_max_bytes, k_json_depth_max}));
  const auto& json = root.json();
  if (!json.is_object()) return not_known(file, "is JSON, but its root is no object");
  if (json.contains("items") || (json.contains("metadata") && json.contains("kind")))
    return read_kubernetes(root, file);
  if (json.contains("nodes")) return read_slurm_json(root, file);
  if (json.contains("host")) return read_own_json(root, file);
  // Since ansible-core 2.19 a fact cache's file is {"__payload__": "the facts as JSON in a string"}.
  if (const auto payload = json.find("__payload__"); payload != json.end() && payload->is_string()) {
    TK_TRY(const auto facts, JsonValue::parse(payload->get_ref<const std::string&>(), file + ": __payload__",
                                              {k_inventory_max_bytes, k_json_depth_max}));
    if (!has_facts(facts.json())) return not_known(file, "holds a payload that is no facts of Ansible");
    return read_ansible(facts, file);
  }
  if (has_facts(json) ||
      std::any_of(json.begin(), json.end(), [](const document::ParsedJson& value) { return has_facts(value); }))
    return read_ansible(root, file);
  return not_known(file, "is JSON, but of none of the known kinds");
}

Machines read_xml(std::string_view text, const std::string& file) {
  TK_TRY(auto host, parse_nvidia_smi(text, file));
  Machine machine;
  machine.name = stem(file);
  machine.driver = std::move(host.driver);
  for (auto& gpu : host.gpus) add_gpu(machine.gpus, machine_gpus(std::move(gpu)));
  if (machine.gpus.empty()) machine.without_gpu = file + ": no <gpu>";
  machine.notes = std::move(host.notes);
  return std::vector{std::move(machine)};
}

Machines read_text(std::string_view text, const std::string& file) {
  if (has_line(text, "NodeName=")) return read_slurm_text(text, file);
  if (has_line(text, "DCGM_FI_") || has_line(text, "# HELP DCGM_")) return read_dcgm(text, file);
  if (has_line(text, "[[host]]") || has_line(text, "[[ host ]]") || has_line(text, "schema"))
    return read_own_toml(text, file);
  if (text.find("NVSMI LOG") != std::string_view::npos || text.find("| NVIDIA-SMI ") != std::string_view::npos)
    return not_known(file, "is what nvidia-smi prints for people", {"use the output of nvidia-smi -q -x"});
  if (is_csv(text)) return read_csv(text, file);
  return not_known(file, "is no inventory of a known kind");
}

}  // namespace

std::string stem(const std::string& file) {
  const auto name = printable(std::filesystem::path(file).stem().string());
  return name.empty() || name == "-" ? "stdin" : name.substr(0, k_machine_name_max);
}

Machines read_inventory(std::string_view bytes, const std::string& file) {
  if (bytes.size() > k_inventory_max_bytes)
    return not_known(file, "is larger than the limit of " + base::format_bytes(k_inventory_max_bytes));
  if (bytes.starts_with("\xFF\xFE") || bytes.starts_with("\xFE\xFF"))
    return not_known(file, "is UTF-16", {"save it as UTF-8"});
  if (bytes.starts_with("\xEF\xBB\xBF")) bytes.remove_prefix(3);
  const auto first = bytes.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return not_known(file, "is empty");
  auto machines = [&]() -> Machines {
    if (bytes[first] == '<') return read_xml(bytes.substr(first), file);
    if (bytes[first] == '{') return read_json(bytes, file);
    if (const auto next = bytes.find_first_not_of(" \t\r\n", first + 1);
        bytes[first] == '[' && next != std::string_view::npos && (bytes[next] == '{' || bytes[next] == ']'))
      return read_json(bytes, file);
    return read_text(bytes, file);
  }();
  if (!machines) {
    machines.error().message = printable(machines.error().message);  // it may quote the file
    return machines;
  }
  if (machines->empty()) return not_known(file, "names no machine", {"an audit of nothing proves nothing"});
  return merge(std::move(*machines));
}

}  // namespace torchkiln::host
