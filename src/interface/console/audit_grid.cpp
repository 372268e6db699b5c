#include "interface/console/audit_grid.hpp"

#include "foundation/base/text.hpp"
#include "interface/console/audit_text.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>

namespace torchkiln::console {

namespace {

std::vector<AuditGroup> groups_of(const std::vector<std::uint32_t>& kinds,
                                  const std::function<const std::string&(std::size_t)>& name_of) {
  std::vector<AuditGroup> groups;
  std::map<std::uint32_t, std::size_t> group_of;
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    const auto [found, is_new] = group_of.try_emplace(kinds[i], groups.size());
    if (is_new) groups.emplace_back();
    groups[found->second].members.push_back(i);
  }
  for (auto& group : groups) {
    std::vector<std::string> names;
    for (const auto member : group.members) names.push_back(name_of(member));
    group.names = compressed(names);
  }
  return groups;
}

/// As people see it; a name without anything to see gets words.
std::string shown(const std::string& name) {
  auto text = one_line(name);
  return text.empty() ? "(no name)" : text;
}

/// A name with its last number taken apart: "node", "007", "".
struct NumberedName {
  std::string before, digits, after;
};
constexpr std::size_t k_digits = 15;  ///< longer ones are no numbers of hosts

std::optional<NumberedName> numbered(const std::string& name) {
  const auto last = name.find_last_of("0123456789");
  if (last == std::string::npos) return std::nullopt;
  auto first = last;
  while (first > 0 && name[first - 1] >= '0' && name[first - 1] <= '9') --first;
  if (last - first + 1 > k_digits) return std::nullopt;
  return NumberedName{name.substr(0, first), name.substr(first, last - first + 1), name.substr(last + 1)};
}

/// Numbers of one width (0: no leading zeros) in one name.
struct NumberSet {
  std::string before, after, single;  ///< `single`: the name as it is, when it is the only one
  std::size_t width = 0;
  std::vector<std::int64_t> numbers;

  std::string to_string() const {
    if (numbers.size() < 2) return single;
    std::string text = before + "[";
    for (std::size_t i = 0; i < numbers.size();) {
      auto end = i + 1;
      while (end < numbers.size() && numbers[end] == numbers[end - 1] + 1) ++end;
      if (i > 0) text += ',';
      text += fmt::format("{:0{}}", numbers[i], width);
      if (end - i > 1) text += fmt::format("-{:0{}}", numbers[end - 1], width);
      i = end;
    }
    return text + "]" + after;
  }
};

}  // namespace

AuditGrid grid_of(const audit::Report& report, const DataAge& data) {
  AuditGrid grid;
  grid.hosts = report.hosts();
  grid.images = report.images();
  for (std::size_t i = 0; i < grid.hosts.size(); ++i) grid.kind_of_host.push_back(report.kind_of_host(i));
  for (std::size_t i = 0; i < grid.images.size(); ++i) grid.kind_of_image.push_back(report.kind_of_image(i));
  grid.verdict = [&report](std::size_t host, std::size_t image) { return report.verdict(host, image); };
  grid.judgement = [&report](std::size_t host, std::size_t image) { return report.at(host, image); };
  grid.counts = report.counts();
  grid.data = data;
  return grid;
}

std::uint64_t AuditGrid::running() const {
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < counts.size(); ++i)
    if (audit::runs(static_cast<audit::Verdict>(i))) count += counts[i];
  return count;
}

std::vector<AuditGroup> groups_of_hosts(const AuditGrid& grid) {
  return groups_of(grid.kind_of_host, [&](std::size_t i) -> const std::string& { return grid.hosts[i].name; });
}
std::vector<AuditGroup> groups_of_images(const AuditGrid& grid) {
  // Names of images are never written as ranges: 2.7.0 and 2.7.1 are no numbers of one thing.
  std::vector<AuditGroup> groups;
  std::map<std::uint32_t, std::size_t> group_of;
  for (std::size_t i = 0; i < grid.images.size(); ++i) {
    const auto [found, is_new] = group_of.try_emplace(grid.kind_of_image[i], groups.size());
    if (is_new) groups.emplace_back();
    auto& group = groups[found->second];
    group.names += (group.members.empty() ? "" : ", ") + shown(grid.images[i].name);
    group.members.push_back(i);
  }
  return groups;
}

std::string compressed(const std::vector<std::string>& names) {
  // Of names that differ in the number only, those with leading zeros tell the width for all of that width.
  std::map<std::pair<std::string, std::string>, std::set<std::size_t>> padded;
  std::vector<std::pair<std::string, std::optional<NumberedName>>> parts;
  for (const auto& name : names) {
    const auto text = shown(name);
    parts.emplace_back(text, numbered(text));
    if (const auto& part = parts.back().second; part && part->digits.size() > 1 && part->digits[0] == '0')
      padded[{part->before, part->after}].insert(part->digits.size());
  }
  std::vector<NumberSet> sets;
  std::map<std::string, std::size_t> set_of;
  for (const auto& [text, part] : parts) {
    std::size_t width = 0;
    if (part) {
      const auto widths = padded.find({part->before, part->after});
      if (widths != padded.end() && widths->second.count(part->digits.size())) width = part->digits.size();
    }
    const auto key = part ? fmt::format("{}\n{}\n{}", part->before, width, part->after) : text;
    const auto [found, is_new] = set_of.try_emplace(key, sets.size());
    if (is_new) sets.push_back({part ? part->before : "", part ? part->after : "", text, width, {}});
    if (part) sets[found->second].numbers.push_back(*base::parse_integer(part->digits));
  }
  std::string joined;
  for (auto& set : sets) {
    std::sort(set.numbers.begin(), set.numbers.end());
    set.numbers.erase(std::unique(set.numbers.begin(), set.numbers.end()), set.numbers.end());
    joined += (joined.empty() ? "" : ", ") + set.to_string();
  }
  return joined;
}

std::string shortened(const AuditGroup& group, std::size_t limit_bytes, std::string_view what) {
  if (group.names.size() <= limit_bytes) return group.names;
  auto cut = group.names.rfind(',', limit_bytes);
  if (cut == std::string::npos || cut == 0) cut = group.names.find(',');
  if (cut == std::string::npos) return group.names;
  return fmt::format("{}, … ({} {} in all)", group.names.substr(0, cut), group.members.size(), what);
}

std::string facts_of(const host::Machine& machine) {
  std::vector<std::string> facts;
  if (machine.driver) facts.push_back("driver " + machine.driver->value.to_string());
  if (machine.userland && (!machine.driver || machine.userland->value != machine.driver->value))
    facts.push_back("libcuda of driver " + machine.userland->value.to_string());
  for (const auto& gpu : machine.gpus) {
    auto text = gpu.model;
    if (gpu.compute) text += text.empty() ? gpu.compute->sm() : " (" + gpu.compute->sm() + ")";
    if (!text.empty()) facts.push_back(text);
  }
  if (!machine.without_gpu.empty()) facts.emplace_back("no GPU");
  if (machine.architecture) facts.emplace_back(name(machine.architecture->value));
  if (machine.glibc) facts.push_back("glibc " + machine.glibc->value.to_string());
  if (machine.compat_package) facts.push_back("cuda-compat " + machine.compat_package->value.to_string());
  if (machine.injection) facts.push_back(std::string(name(machine.injection->value)) + " runtime");
  if (facts.empty()) return "nothing is known";
  return one_line(base::join(facts, ", "));
}

const std::string& AuditWords::at(std::size_t host, std::size_t image) {
  const auto key = std::pair(m_grid.kind_of_host[host], m_grid.kind_of_image[image]);
  if (const auto found = m_kept.find(key); found != m_kept.end()) return found->second;
  if (m_kept_bytes > k_kept_bytes) {
    m_kept.clear();
    m_kept_bytes = 0;
  }
  auto words = m_write(m_grid.judgement(host, image));
  m_kept_bytes += words.size();
  return m_kept.emplace(key, std::move(words)).first->second;
}

}  // namespace torchkiln::console
