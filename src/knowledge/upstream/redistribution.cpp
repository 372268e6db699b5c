#include "knowledge/upstream/redistribution.hpp"

#include "foundation/base/text.hpp"
#include "foundation/document/json.hpp"
#include "knowledge/version/pep440.hpp"

#include <algorithm>
#include <set>

namespace torchkiln::upstream {

using base::Result;
using document::JsonValue;

namespace {

constexpr unsigned k_redistribution_depth = 12;

/// "2025-03-05" of "2025-03-05" or of a longer time; empty for anything else.
std::string day_of(const std::string& text) {
  const auto day = text.substr(0, 10);
  return base::parse_time(day + "T00:00:00Z") ? day : std::string();
}

/// What a platform or a variant says of its file; nothing where it names none, or no SHA-256.
Result<std::optional<ComponentArchive>> parse_archive(const JsonValue& value, std::string platform,
                                                      std::string variant) {
  ComponentArchive archive{std::move(platform), std::move(variant), {}, {}, 0};
  TK_TRY(archive.path, value.text_or_empty("relative_path"));
  TK_TRY(const auto digest, value.text_or_empty("sha256"));
  const auto parsed = base::Digest::parse(digest);
  if (archive.path.empty() || !parsed) return std::optional<ComponentArchive>();
  if (archive.path.starts_with('/') || archive.path.find("..") != std::string::npos)
    return value.wrong("has a relative_path that leaves the folder");
  archive.digest = *parsed;
  TK_TRY(const auto size, value.text_or_empty("size"));
  archive.size_bytes = static_cast<std::uint64_t>(std::max<std::int64_t>(0, base::parse_integer(size).value_or(0)));
  return std::optional(std::move(archive));
}

/// A component is an object with a version; its members that are objects are platforms, whose members that are
/// objects again are variants ("cuda12"), where there is a choice.
Result<Component> parse_component(const std::string& name, const JsonValue& value) {
  Component component;
  component.name = name;
  TK_TRY(const auto version, value.member("version"));
  TK_TRY(component.version, version.text());
  TK_TRY(const auto members, value.members());
  std::set<std::string> variants;
  for (const auto& platform : members) {
    const auto& member = platform.second;
    if (!member.json().is_object()) continue;
    component.platforms.push_back(platform.first);
    const auto add = [&](const JsonValue& one, const std::string& variant) -> Result<void> {
      TK_TRY(auto archive, parse_archive(one, platform.first, variant));
      if (archive) component.archives.push_back(std::move(*archive));
      return {};
    };
    TK_CHECK(add(member, ""));
    TK_TRY(const auto inner, member.members());
    for (const auto& entry : inner) {
      if (!entry.second.json().is_object()) continue;
      variants.insert(entry.first);
      TK_CHECK(add(entry.second, entry.first));
    }
  }
  component.variants.assign(variants.begin(), variants.end());
  return component;
}

}  // namespace

bool Component::is_for(std::string_view platform) const {
  return std::find(platforms.begin(), platforms.end(), platform) != platforms.end();
}

const ComponentArchive* Component::archive_for(std::string_view platform) const {
  for (const auto& archive : archives)
    if (archive.platform == platform && archive.variant.empty()) return &archive;
  return nullptr;
}

const Component* Redistribution::find(std::string_view name) const {
  const auto found =
      std::find_if(components.begin(), components.end(), [&](const Component& c) { return c.name == name; });
  return found == components.end() ? nullptr : &*found;
}

bool is_redistribution_name(std::string_view file_name, std::string& release) {
  constexpr std::string_view k_prefix = "redistrib_", k_suffix = ".json";
  if (!file_name.starts_with(k_prefix) || !file_name.ends_with(k_suffix) ||
      file_name.size() <= k_prefix.size() + k_suffix.size())
    return false;
  const auto middle = file_name.substr(k_prefix.size(), file_name.size() - k_prefix.size() - k_suffix.size());
  const auto version = version::Version::parse(middle);
  if (!version || !version->is_release_only()) return false;
  release = middle;
  return true;
}

Result<Redistribution> parse_redistribution(std::string_view json, const std::string& file,
                                            const std::string& release) {
  TK_TRY(const auto root, JsonValue::parse(json, file, {k_redistribution_limit_bytes, k_redistribution_depth}));
  Redistribution redistribution;
  TK_TRY(redistribution.product, root.text_or_empty("release_product"));
  TK_TRY(redistribution.release, root.text_or_empty("release_label"));
  if (redistribution.release.empty()) redistribution.release = release;
  if (redistribution.release != release)
    return root.wrong("is of release " + redistribution.release + ", and its name says " + release);
  TK_TRY(const auto date, root.text_or_empty("release_date"));
  redistribution.date = day_of(date);
  TK_TRY(const auto members, root.members());
  for (const auto& [key, value] : members) {
    if (!value.json().is_object()) continue;
    TK_TRY(auto component, parse_component(key, value));
    redistribution.components.push_back(std::move(component));
  }
  std::sort(redistribution.components.begin(), redistribution.components.end(),
            [](const Component& a, const Component& b) { return a.name < b.name; });
  // Older files do not name their product.
  if (redistribution.product.empty()) {
    if (redistribution.find("cuda_cudart"))
      redistribution.product = "cuda";
    else if (redistribution.find("cudnn"))
      redistribution.product = "cudnn";
    else if (redistribution.find("libnccl") || redistribution.find("nccl"))
      redistribution.product = "nccl";
  }
  if (redistribution.components.empty()) return root.wrong("has no component");
  return redistribution;
}

}  // namespace torchkiln::upstream
