// Nodes of Kubernetes. The labels are those of NVIDIA's GPU feature discovery
// (k8s-device-plugin, docs/gpu-feature-discovery); all values are text.

#include "foundation/base/text.hpp"
#include "knowledge/host/fields.hpp"
#include "knowledge/host/inventory_kinds.hpp"

#include <array>

namespace torchkiln::host {

using base::Result;
using document::JsonValue;
using document::ParsedJson;

namespace {

/// The text at `key` of an object, or nothing.
std::string_view text_at(const ParsedJson& object, const std::string& key) {
  if (!object.is_object()) return {};
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? std::string_view(found->get_ref<const std::string&>())
                                                     : std::string_view();
}

const ParsedJson& object_at(const ParsedJson& object, const std::string& key) {
  static const ParsedJson k_none = ParsedJson::object();
  if (!object.is_object()) return k_none;
  const auto found = object.find(key);
  return found != object.end() && found->is_object() ? *found : k_none;
}

constexpr std::string_view k_nvidia = "nvidia.com/";

std::string nvidia(std::string_view name) {
  return std::string(k_nvidia) + std::string(name);
}

/// "535.104.05" of major, minor and revision, where the first two are there.
std::string joined(const ParsedJson& labels, std::string_view major, std::string_view minor,
                   std::string_view rest) {
  const auto first = text_at(labels, nvidia(major));
  const auto second = text_at(labels, nvidia(minor));
  const auto third = text_at(labels, nvidia(rest));
  if (first.empty() || second.empty()) return {};
  return std::string(first) + "." + std::string(second) + (third.empty() ? "" : "." + std::string(third));
}

void read_driver(const ParsedJson& labels, const std::string& file, Machine& machine) {
  std::string label = nvidia("cuda.driver-version.full");
  std::string text(text_at(labels, label));
  if (text.empty()) {
    label = nvidia("cuda.driver-version.major");
    text = joined(labels, "cuda.driver-version.major", "cuda.driver-version.minor", "cuda.driver-version.revision");
  }
  if (text.empty()) {
    label = nvidia("cuda.driver.major");
    text = joined(labels, "cuda.driver.major", "cuda.driver.minor", "cuda.driver.rev");
  }
  machine.driver = driver_fact(text, file + ": " + label, machine.notes);
}

/// The GPU's name without what sharing and MIG put behind it: "A100-SXM4-40GB-MIG-1g.5gb-SHARED".
std::string_view product(std::string_view label) {
  for (const std::string_view mark : {"-SHARED", "-MIG-"})
    if (const auto at = label.find(mark); at != std::string_view::npos) label = label.substr(0, at);
  return label;
}

unsigned count_of(std::string_view text) {
  const auto count = base::parse_integer(text);
  return count && *count > 0 && *count <= k_gpus_max ? static_cast<unsigned>(*count) : 0;
}

/// GPUs that the device plugin offers where nothing describes them: nvidia.com/gpu, nvidia.com/mig-1g.5gb.
unsigned offered(const ParsedJson& node) {
  for (const auto& [resource, amount] : object_at(object_at(node, "status"), "capacity").items())
    if (resource == nvidia("gpu") || resource.starts_with(nvidia("mig-")))
      if (const unsigned count = amount.is_string() ? count_of(amount.get_ref<const std::string&>()) : 0)
        return count;
  return 0;
}

void read_gpus(const ParsedJson& node, const ParsedJson& labels, const std::string& file, Machine& machine) {
  MachineGpus gpus;
  gpus.named_by = NamedBy::driver;
  gpus.model = printable(product(text_at(labels, nvidia("gpu.product"))));
  gpus.source = file + ": " + nvidia("gpu.product");
  const auto major = text_at(labels, nvidia("gpu.compute.major"));
  const auto minor = text_at(labels, nvidia("gpu.compute.minor"));
  if (auto compute = version::ComputeCapability::parse(std::string(major) + "." + std::string(minor)))
    gpus.compute = *compute;
  gpus.count = count_of(text_at(labels, nvidia("gpu.count")));
  if (gpus.model.empty() && !gpus.compute) {
    gpus.count = offered(node);
    gpus.source = file + ": status.capacity";
    if (gpus.count == 0) {
      machine.without_gpu = file + ": no label and no capacity names one";
      return;
    }
    machine.notes.push_back(gpus.source +
                            " offers GPUs that no label describes: GPU feature discovery has not run on this node");
  }
  if (gpus.count == 0) gpus.count = 1;
  machine.gpus.push_back(std::move(gpus));
}

void read_architecture(const ParsedJson& node, const ParsedJson& labels, const std::string& file,
                       Machine& machine) {
  std::string source = "kubernetes.io/arch";
  auto text = text_at(labels, source);
  if (text.empty()) {
    source = "status.nodeInfo.architecture";
    text = text_at(object_at(object_at(node, "status"), "nodeInfo"), "architecture");
  }
  if (text.empty()) return;
  if (auto architecture = parse_machine_architecture(text))
    machine.architecture = Fact<matrix::Architecture>{*architecture, file + ": " + source};
  else
    machine.notes.push_back(file + ": " + source + ": " + printable(architecture.error().message));
}

Result<Machine> read_node(const JsonValue& node, const std::string& file) {
  TK_TRY(const auto metadata, node.member("metadata"));
  TK_TRY(const auto written, metadata.member("name"));
  TK_TRY(const auto text, written.text());
  auto name = parse_machine_name(text);
  if (!name) return written.wrong("is wrong: " + name.error().message);
  Machine machine;
  machine.name = std::move(*name);
  const auto& labels = object_at(metadata.json(), "labels");
  read_driver(labels, file, machine);
  read_gpus(node.json(), labels, file, machine);
  read_architecture(node.json(), labels, file, machine);
  return machine;
}

}  // namespace

Machines read_kubernetes(const JsonValue& root, const std::string& file) {
  std::vector<Machine> machines;
  TK_TRY(const auto list, root.find("items"));
  if (!list) {
    TK_TRY(auto machine, read_node(root, file));
    machines.push_back(std::move(machine));
    return machines;
  }
  TK_TRY(const auto items, list->items());
  for (const auto& item : items) {
    TK_TRY(const auto kind, item.text_or_empty("kind"));
    if (!kind.empty() && kind != "Node")
      return item.wrong("is of the kind \"" + kind + "\", not a node; use kubectl get nodes -o json");
    TK_TRY(auto machine, read_node(item, file));
    machines.push_back(std::move(machine));
  }
  return machines;
}

}  // namespace torchkiln::host
