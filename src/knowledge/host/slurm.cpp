// Nodes of Slurm. A generic resource is "gpu:TYPE:N" with a TYPE that the administrator chose (slurm.schedmd.com,
// gres.html); the driver is not told.

#include "foundation/base/text.hpp"
#include "knowledge/host/fields.hpp"
#include "knowledge/host/inventory_kinds.hpp"

#include <algorithm>

namespace torchkiln::host {

using base::Result;
using document::JsonValue;

namespace {

/// The entries of "gpu:a100:4(S:0,2),gpu:v100:2,tmp:500G": commas in parentheses do not separate.
std::vector<std::string_view> entries(std::string_view gres) {
  std::vector<std::string_view> list;
  std::size_t begin = 0;
  bool inside = false;
  for (std::size_t i = 0; i <= gres.size(); ++i) {
    if (i < gres.size() && gres[i] == '(') inside = true;
    if (i < gres.size() && gres[i] == ')') inside = false;
    if (i < gres.size() && (gres[i] != ',' || inside)) continue;
    list.push_back(base::trim(gres.substr(begin, i - begin)));
    begin = i + 1;
  }
  return list;
}

/// Whether a text is the name of a MIG profile: "1g.10gb", "3g.20gb+me".
bool is_profile(std::string_view text) {
  const auto dot = text.find("g.");
  return dot != std::string_view::npos && dot > 0 && text.find("gb", dot) != std::string_view::npos &&
         std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(dot),
                     [](char c) { return c >= '0' && c <= '9'; });
}

/// The model in a type, without the MIG profile that Slurm's own detection appends: "a100_1g.5gb".
std::string_view model_of(std::string_view type) {
  if (is_profile(type)) return {};
  const auto cut = type.rfind('_');
  return cut != std::string_view::npos && is_profile(type.substr(cut + 1)) ? type.substr(0, cut) : type;
}

/// The GPUs of a Gres text. "gpu", "gpu:4", "gpu:a100:4(S:0-1)", "gpu:a100:no_consume:4".
void read_gres(std::string_view gres, const std::string& source, Machine& machine) {
  bool any = false;
  for (auto entry : entries(gres)) {
    entry = entry.substr(0, entry.find('('));
    auto parts = base::split(entry, ':');
    if (parts.front() != "gpu") continue;
    parts.erase(parts.begin());
    parts.erase(std::remove(parts.begin(), parts.end(), std::string_view("no_consume")), parts.end());
    MachineGpus gpus;
    gpus.source = source;
    if (!parts.empty())
      if (const auto count = base::parse_integer(parts.back())) {
        parts.pop_back();
        if (*count == 0) continue;
        if (*count < 0 || *count > k_gpus_max) {
          machine.notes.push_back(source + ": \"" + printable(entry) + "\" counts no number of GPUs");
          continue;
        }
        gpus.count = static_cast<unsigned>(*count);
      }
    if (!parts.empty()) gpus.model = printable(model_of(parts.front()));
    add_gpu(machine.gpus, std::move(gpus));
    any = true;
  }
  if (!any) machine.without_gpu = source;
}

void put_architecture(std::string_view text, const std::string& source, Machine& machine) {
  if (is_absent(text)) return;
  if (auto architecture = parse_machine_architecture(text))
    machine.architecture = Fact<matrix::Architecture>{*architecture, source};
  else
    machine.notes.push_back(source + ": " + printable(architecture.error().message));
}

/// The value of "Key=value" in a record: what stands between it and the next blank. The first one counts: Slurm
/// writes free texts (Reason=, Comment=, Extra=) last.
std::string_view value_of(std::string_view record, std::string_view key) {
  std::size_t at = 0;
  while ((at = record.find(key, at)) != std::string_view::npos) {
    const auto end = at + key.size();
    const bool begins = at == 0 || record[at - 1] == ' ' || record[at - 1] == '\n' || record[at - 1] == '\t';
    if (begins && end < record.size() && record[end] == '=')
      return record.substr(end + 1, record.find_first_of(" \t\r\n", end + 1) - end - 1);
    at = end;
  }
  return {};
}

}  // namespace

Machines read_slurm_json(const JsonValue& root, const std::string& file) {
  TK_TRY(const auto list, root.member("nodes"));
  TK_TRY(const auto nodes, list.items());
  std::vector<Machine> machines;
  for (const auto& node : nodes) {
    TK_TRY(const auto written, node.member("name"));
    TK_TRY(const auto text, written.text());
    auto name = parse_machine_name(text);
    if (!name) return written.wrong("is wrong: " + name.error().message);
    Machine machine;
    machine.name = std::move(*name);
    TK_TRY(const auto architecture, node.text_or_empty("architecture"));
    put_architecture(architecture, file + ": architecture", machine);
    TK_TRY(const auto gres, node.text_or_empty("gres"));
    read_gres(gres, file + ": gres", machine);
    machines.push_back(std::move(machine));
  }
  return machines;
}

Machines read_slurm_text(std::string_view text, const std::string& file) {
  constexpr std::string_view k_begin = "NodeName=";
  std::vector<Machine> machines;
  int line = 1;
  std::size_t at = 0;
  const auto begins_at = [&](std::size_t offset) {
    const auto found = text.find("\n" + std::string(k_begin), offset);
    return found == std::string_view::npos ? text.size() : found + 1;
  };
  std::size_t begin = text.starts_with(k_begin) ? 0 : begins_at(0);
  while (begin < text.size()) {
    line += static_cast<int>(std::count(text.begin() + static_cast<std::ptrdiff_t>(at),
                                        text.begin() + static_cast<std::ptrdiff_t>(begin), '\n'));
    at = begin;
    const auto end = begins_at(begin);
    const auto record = text.substr(begin, end - begin);
    const base::Place place{file, line, 0};
    auto name = parse_machine_name(value_of(record, "NodeName"));
    if (!name) return base::fail_at(base::ErrorCode::input_invalid, place, std::move(name).error().message);
    Machine machine;
    machine.name = std::move(*name);
    const auto source = place.to_string();
    put_architecture(value_of(record, "Arch"), source + ": Arch", machine);
    read_gres(value_of(record, "Gres"), source + ": Gres", machine);
    machines.push_back(std::move(machine));
    begin = end;
  }
  return machines;
}

}  // namespace torchkiln::host
