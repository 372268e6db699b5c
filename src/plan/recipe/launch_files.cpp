#include "plan/recipe/launch_files.hpp"

#include "foundation/base/text.hpp"
#include "foundation/sys/files.hpp"
#include "plan/recipe/template.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace torchkiln::recipe {

using base::Result;

namespace {

namespace fs = std::filesystem;

/// "linux/amd64", as the image specification calls it.
std::string platform(const lock::Lock& lock) {
  return lock.resolution.architecture == "aarch64" ? "linux/arm64" : "linux/amd64";
}

/// A DNS label (RFC 1123) out of a repository's name: "team/pytorch" is "team-pytorch".
std::string dns_label(std::string_view name) {
  std::string label;
  for (const char c : base::lower(name)) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (is_plain)
      label += c;
    else if (!label.empty() && label.back() != '-')
      label += '-';
  }
  constexpr std::size_t k_label_bytes = 40;  // of the 63 that are allowed; the variant comes behind it
  label = label.substr(0, k_label_bytes);
  while (label.ends_with('-')) label.pop_back();
  return label;
}

std::string json_text(const std::string& text) {
  return nlohmann::json(text).dump();
}

/// "8888" of "8888/tcp".
std::string port_number(const std::string& port) {
  return port.substr(0, port.find('/'));
}

TemplateValues image_values(const lock::Lock& lock, const Recipe& recipe) {
  const auto folder = tag_name(recipe.variant);
  const auto description = recipe.labels.find("org.opencontainers.image.description");
  TemplateValues image{
      {{"variant", folder},
       {"folder", folder},
       {"reference", recipe.reference},
       {"user", recipe.user},
       {"uid", std::to_string(lock.user.uid)},
       {"gid", std::to_string(lock.user.gid)},
       {"platform", platform(lock)},
       {"pod_name", dns_label(lock.image_name)},
       {"pod", dns_label(lock.image_name) + "-" + folder},
       {"description", description == recipe.labels.end() ? recipe.reference : description->second},
       {"health_command", nlohmann::json(recipe.health.command).dump()},
       {"health_interval_s", fmt::format("{:.0f}", recipe.health.interval_s)},
       {"health_timeout_s", fmt::format("{:.0f}", recipe.health.timeout_s)}},
      {{"ports", {}}, {"has_ports", {}}, {"ssh", {}}, {"idle", {}}}};
  for (const auto& port : recipe.ports) image.lists["ports"].push_back({{{"port", port_number(port)}}, {}});
  image.lists["has_ports"].resize(recipe.ports.empty() ? 0 : 1);
  image.lists["ssh"].resize(recipe.variant.has(spec::Part::ssh) ? 1 : 0);
  // Without a service the image's own command is an interpreter, which ends when nobody types.
  image.lists["idle"].resize(recipe.ports.empty() ? 1 : 0);
  return image;
}

/// The image to develop in: one with compilers, and with the most beside them.
const Recipe& workbench(std::span<const Recipe> recipes) {
  return *std::max_element(recipes.begin(), recipes.end(), [](const Recipe& a, const Recipe& b) {
    const auto worth = [](const Recipe& one) {
      return std::pair(one.variant.has(spec::Part::devel), one.variant.parts().size());
    };
    return worth(a) < worth(b);
  });
}

Result<std::string> rendered(const fs::path& templates, const std::string& name, const TemplateValues& values) {
  const auto file = name + ".mustache";
  TK_TRY(const auto text, sys::read_file(templates / file));
  return render_template(text, "templates/" + file, values);
}

}  // namespace

Result<std::vector<ContextFile>> render_launch_files(const lock::Lock& lock, std::span<const Recipe> recipes,
                                                     const fs::path& templates) {
  TK_ASSERT(!recipes.empty(), "a spec has a variant");
  const auto& bench = workbench(recipes);
  nlohmann::json targets = nlohmann::json::array(), ports = nlohmann::json::array();
  for (const auto& recipe : recipes) targets.push_back(tag_name(recipe.variant));
  for (const auto& port : bench.ports) ports.push_back(std::stoi(port_number(port)));
  TemplateValues values{{{"name", lock.image_name},
                         {"first", tag_name(recipes.front().variant)},
                         {"name_json", json_text(lock.image_name)},
                         {"workbench_json", json_text(bench.reference)},
                         {"user_name_json", json_text(lock.user.name)},
                         {"forward_ports", ports.dump()},
                         {"targets", targets.dump()}},
                        {}};
  auto& images = values.lists["images"];
  for (const auto& recipe : recipes) images.push_back(image_values(lock, recipe));

  std::vector<ContextFile> files;
  for (const auto* name : {"compose.yaml", "docker-bake.hcl", "devcontainer.json", "pod.yaml"}) {
    TK_TRY(auto text, rendered(templates, name, values));
    files.push_back({name, std::move(text)});
  }
  for (const auto& image : images) {
    TK_TRY(auto text, rendered(templates, "apptainer.def", image));
    files.push_back({image.texts.at("variant") + ".def", std::move(text)});
  }
  return files;
}

}  // namespace torchkiln::recipe
