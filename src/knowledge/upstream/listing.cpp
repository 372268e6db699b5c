#include "knowledge/upstream/listing.hpp"

#include "foundation/base/text.hpp"
#include "knowledge/wheel/wheel.hpp"

#include <algorithm>
#include <set>
#include <tuple>

namespace torchkiln::upstream {

using matrix::Architecture;
using version::Version;

namespace {

/// glibc by the oldest names of platforms: PEP 513, 571 and 599.
constexpr std::pair<std::string_view, unsigned> k_old_platforms[] = {
    {"manylinux1", 5}, {"manylinux2010", 12}, {"manylinux2014", 17}, {"linux", 0}};

struct Platform {
  Architecture architecture;
  Version glibc;
};

std::optional<Platform> parse_platform(std::string_view tag) {
  Platform platform;
  if (tag.ends_with("_x86_64"))
    platform.architecture = Architecture::x86_64;
  else if (tag.ends_with("_aarch64"))
    platform.architecture = Architecture::aarch64;
  else
    return std::nullopt;
  tag.remove_suffix(matrix::name(platform.architecture).size() + 1);
  for (const auto& [old_name, minor] : k_old_platforms)
    if (tag == old_name) {
      if (minor != 0) platform.glibc = Version::of({2, minor});
      return platform;
    }
  const auto parts = base::split(tag, '_');
  if (parts.size() != 3 || parts[0] != "manylinux") return std::nullopt;
  const auto major = base::parse_integer(parts[1]), minor = base::parse_integer(parts[2]);
  if (!major || !minor || *major < 0 || *minor < 0) return std::nullopt;
  platform.glibc = Version::of({static_cast<std::uint64_t>(*major), static_cast<std::uint64_t>(*minor)});
  return platform;
}

/// "3.13t" of cp313-cp313t; empty for a wheel that serves several Pythons; nothing for other implementations.
std::optional<std::string> parse_python(const wheel::WheelName& name) {
  const std::string_view python = name.python_tag, abi = name.abi_tag;
  if (abi == "abi3" || python == "py3" || python == "py2.py3") return "";
  if (!python.starts_with("cp") || python.size() < 4 || !abi.starts_with(python)) return std::nullopt;
  const auto digits = python.substr(2);
  if (!base::parse_integer(digits)) return std::nullopt;
  const auto flags = abi.substr(python.size());  // "m" was the only build of its day
  if (flags != "" && flags != "t" && flags != "m") return std::nullopt;
  std::string result = std::string(digits.substr(0, 1)) + "." + std::string(digits.substr(1));
  if (flags == "t") result += "t";
  return result;
}

auto python_key(const std::string& tag) {
  const auto number = tag.substr(0, tag.find('t'));
  return std::pair(base::parse_integer(number.substr(number.find('.') + 1)).value_or(0), tag);
}

}  // namespace

std::vector<LinuxWheel> linux_wheels(const std::vector<IndexFile>& files, std::string_view project) {
  std::vector<LinuxWheel> wheels;
  for (const auto& file : files) {
    const auto name = wheel::parse_wheel_name(file.name);
    if (!name || wheel::normalized_name(name->distribution) != project) continue;
    const auto version = Version::parse(name->version);
    const auto python = parse_python(*name);
    if (!version || !version->without_local().is_release_only() || !python) continue;
    const auto digits = name->build.substr(0, name->build.find_first_not_of("0123456789"));
    LinuxWheel wheel{file, *version, *python, base::parse_integer(digits).value_or(0), {}, {}};
    for (const auto tag : base::split(name->platform_tag, '.')) {
      const auto platform = parse_platform(tag);
      if (!platform) continue;
      // A wheel with several tags runs on the oldest glibc among them.
      if (wheel.architectures.empty() || platform->glibc < wheel.glibc) wheel.glibc = platform->glibc;
      if (std::find(wheel.architectures.begin(), wheel.architectures.end(), platform->architecture) ==
          wheel.architectures.end())
        wheel.architectures.push_back(platform->architecture);
    }
    if (name->platform_tag == "any") wheel.architectures = {Architecture::x86_64, Architecture::aarch64};
    if (!wheel.architectures.empty()) wheels.push_back(std::move(wheel));
  }
  return wheels;
}

std::vector<std::string> WheelFamily::python() const {
  std::set<decltype(python_key(""))> keys;
  for (const auto& wheel : wheels) {
    if (wheel.python.empty()) return {};
    keys.insert(python_key(wheel.python));
  }
  std::vector<std::string> tags;
  for (const auto& key : keys) tags.push_back(key.second);
  return tags;
}

const LinuxWheel& WheelFamily::representative() const {
  TK_ASSERT(!wheels.empty(), "a family without wheels stands for nothing");
  const auto rank = [](const LinuxWheel& wheel) {
    const bool is_usual = wheel.python == "3.10" || wheel.python == "3.11";
    return std::tuple(!is_usual, python_key(wheel.python), -wheel.build, wheel.file.name);
  };
  return *std::min_element(wheels.begin(), wheels.end(),
                           [&](const LinuxWheel& a, const LinuxWheel& b) { return rank(a) < rank(b); });
}

std::string WheelFamily::released() const {
  std::string first;
  for (const auto& wheel : wheels) {
    const auto day = wheel.file.uploaded.substr(0, 10);
    if (!base::parse_time(day + "T00:00:00Z")) return "";
    if (first.empty() || day < first) first = day;
  }
  return first;
}

std::vector<WheelFamily> families_of(const std::vector<LinuxWheel>& wheels) {
  std::map<std::pair<Version, Architecture>, WheelFamily> families;
  for (const auto& wheel : wheels)
    for (const auto architecture : wheel.architectures) {
      auto& family = families[{wheel.version, architecture}];
      family.version = wheel.version;
      family.architecture = architecture;
      (wheel.file.yanked ? family.yanked : family.wheels).push_back(wheel);
    }
  std::vector<WheelFamily> result;
  for (auto& entry : families) result.push_back(std::move(entry.second));
  std::stable_sort(result.begin(), result.end(), [](const WheelFamily& a, const WheelFamily& b) {
    return a.version != b.version ? a.version > b.version : a.architecture < b.architecture;
  });
  return result;
}

}  // namespace torchkiln::upstream
