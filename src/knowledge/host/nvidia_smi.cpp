#include "knowledge/host/nvidia_smi.hpp"

#include "foundation/base/text.hpp"
#include "foundation/sys/environment.hpp"
#include "foundation/sys/process.hpp"
#include "knowledge/host/fields.hpp"
#include "knowledge/host/nvml.hpp"

#include <algorithm>
#include <cstring>
#include <pugixml.hpp>

namespace torchkiln::host {

using base::ErrorCode;

namespace {

base::Place place_of(std::string_view text, std::size_t offset, const std::string& file) {
  const auto before = text.substr(0, std::min(offset, text.size()));
  const auto newline = before.rfind('\n');
  const auto start = newline == std::string_view::npos ? 0 : newline + 1;
  return {file, 1 + static_cast<int>(std::count(before.begin(), before.end(), '\n')),
          1 + static_cast<int>(before.size() - start)};
}

std::optional<Fact<version::ComputeCapability>> compute_of(const pugi::xml_node& gpu, const std::string& source) {
  const auto node = gpu.child("compute_capability");
  const std::string text = std::string(node.child_value("major")) + "." + node.child_value("minor");
  if (auto compute = version::ComputeCapability::parse(text))
    return Fact<version::ComputeCapability>{*compute, source};
  return std::nullopt;
}

}  // namespace

base::Result<Host> parse_nvidia_smi(std::string_view xml, const std::string& file) {
  if (xml.size() > k_nvidia_smi_max)
    return base::fail(ErrorCode::input_invalid,
                      file + " is larger than the limit of " + base::format_bytes(k_nvidia_smi_max));
  // pugixml skips the DOCTYPE unread and expands only XML's own five entities.
  pugi::xml_document document;
  const auto outcome = document.load_buffer(xml.data(), xml.size(), pugi::parse_default, pugi::encoding_utf8);
  if (!outcome)
    return base::fail_at(ErrorCode::input_invalid, place_of(xml, static_cast<std::size_t>(outcome.offset), file),
                         "no valid XML: " + base::lower(outcome.description()));
  const auto log = document.child("nvidia_smi_log");
  if (!log)
    return base::fail_at(ErrorCode::input_invalid, base::Place{file}, "is XML, but has no <nvidia_smi_log>",
                         {"nvidia-smi -q -x writes it"});
  if (log.next_sibling("nvidia_smi_log"))
    return base::fail_at(ErrorCode::input_invalid, base::Place{file}, "holds more than one <nvidia_smi_log>",
                         {"nvidia-smi does not name the machine: keep one file a machine, named after it"});
  Host host;
  host.driver = driver_fact(log.child_value("driver_version"), file + ": driver_version", host.notes);
  if (!host.driver) host.notes.push_back(file + ": names no driver version");
  for (const auto node : log.children("gpu")) {
    Gpu gpu;
    gpu.model = printable(base::trim(node.child_value("product_name")));
    const std::string_view brand = node.child_value("product_brand");
    if (!is_absent(brand)) gpu.brand = printable(base::trim(brand));
    gpu.uuid = printable(base::trim(node.child_value("uuid")));
    gpu.bus = short_bus(printable(node.attribute("id").value()));
    gpu.source = file + ": product_name";
    gpu.compute = compute_of(node, file + ": compute_capability");
    host.gpus.push_back(std::move(gpu));
  }
  return host;
}

void ask_nvidia_smi(Host& host) {
  constexpr std::string_view k_name = "nvidia-smi";
  const auto program = sys::find_program(std::string(k_name));
  if (!program) return;
  sys::Command command;
  command.arguments = {program->string(), "-q", "-x"};
  command.timeout_s = k_nvidia_smi_timeout_s;
  command.output_limit_bytes = k_nvidia_smi_max;
  const auto result = sys::run_checked(command);
  if (!result) {
    host.notes.push_back(std::string(k_name) + ": " + printable(result.error().message) +
                         (result.error().notes.empty() ? "" : ": " + printable(result.error().notes.back())));
    return;
  }
  auto said = parse_nvidia_smi(result->output, std::string(k_name));
  if (!said) {
    host.notes.push_back(std::string(k_name) + ": " + said.error().message);
    return;
  }
  if (!host.driver) host.driver = std::move(said->driver);
  for (auto& gpu : said->gpus) add_known(host, std::move(gpu));
}

}  // namespace torchkiln::host
