#include "plan/recipe/dockerfile.hpp"

#include "foundation/base/text.hpp"
#include "foundation/sys/files.hpp"
#include "plan/recipe/template.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace torchkiln::recipe {

using base::Result;

namespace {

/// A value in double quotes as Dockerfile's ENV and LABEL take it: nothing in it is expanded, and it stays on its
/// line.
std::string dockerfile_string(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\' || c == '$') result += '\\';
    result += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return result + "\"";
}

std::string json_array(const std::vector<std::string>& items) {
  return nlohmann::json(items).dump();
}

std::string requirements_text(const lock::Lock& lock, const WheelLayers& layers) {
  std::vector<std::size_t> wheels;
  for (const auto& layer : layers) wheels.insert(wheels.end(), layer.begin(), layer.end());
  std::sort(wheels.begin(), wheels.end());
  std::string text = "# Every wheel, pinned by its SHA-256. Made from kiln.lock.\n";
  for (const auto i : wheels) {
    const auto& wheel = lock.wheels[i];
    text += fmt::format("{}=={} --hash=sha256:{}\n", wheel.name, wheel.version, wheel.digest.hex());
  }
  return text;
}

std::string requirements_file(spec::Part part) {
  return fmt::format("requirements-{}.txt", name(part));
}

/// What a stage is for, above its FROM.
std::string purpose(spec::Part part) {
  switch (part) {
    case spec::Part::devel:
      return "To compile C++ and CUDA with.";
    case spec::Part::jupyter:
      return "JupyterLab.";
    case spec::Part::ssh:
      return "OpenSSH's server.";
  }
  return "";
}

/// A stage for each part, on top of the one before it.
std::vector<TemplateValues> stages(const Recipe& recipe) {
  std::vector<TemplateValues> stages;
  std::string below = "base";
  for (const auto& plan : recipe.parts) {
    const std::string part(name(plan.part));
    TemplateValues stage{{{"part", part}, {"below", below}, {"purpose", purpose(plan.part)}},
                         {{"packages", {}}, {"wheels", {}}}};
    if (plan.has_packages) stage.lists["packages"].push_back({{{"tar", packages_file(plan.part)}}, {}});
    if (!plan.wheel_layers.empty())
      stage.lists["wheels"].push_back({{{"requirements", requirements_file(plan.part)}}, {}});
    stages.push_back(std::move(stage));
    below = part;
  }
  return stages;
}

/// Dockerfile's form of a duration.
std::string seconds(double s) {
  return fmt::format("{:.0f}s", s);
}

}  // namespace

std::string packages_file(spec::Part part) {
  return std::string(name(part)) + ".tar.gz";
}

ContextNames context_names(const lock::Lock& lock) {
  ContextNames names;
  for (const auto& wheel : lock.wheels)
    if (wheel.name == "pip") names.pip_wheel = wheel.file_name;
  TK_ASSERT(!names.pip_wheel.empty(), "every lock holds pip");
  return names;
}

Result<std::vector<ContextFile>> render_context(const lock::Lock& lock, const Recipe& recipe,
                                                const std::filesystem::path& templates,
                                                const ContextSources& sources) {
  const auto names = context_names(lock);
  TemplateValues values;
  values.texts = {{"reference", recipe.reference},
                  {"pytorch", lock.resolution.pytorch + "+" + lock.resolution.build},
                  {"python", lock.resolution.python},
                  {"os", lock.resolution.os},
                  {"prefix", "/" + recipe.scheme.prefix},
                  {"rootfs", names.rootfs},
                  {"pip_wheel", names.pip_wheel},
                  {"site_packages", "/" + recipe.scheme.site_packages()},
                  {"build_packages", names.build_packages},
                  {"top", recipe.parts.empty() ? "base" : std::string(name(recipe.parts.back().part))},
                  {"user_name", lock.user.name},
                  {"uid", std::to_string(lock.user.uid)},
                  {"gid", std::to_string(lock.user.gid)},
                  {"created_days", std::to_string(recipe.created_s / k_seconds_per_day)},
                  {"user", recipe.user},
                  {"working_directory", recipe.working_directory},
                  {"entrypoint", json_array(recipe.entrypoint)},
                  {"command", json_array(recipe.command)},
                  {"health_interval", seconds(recipe.health.interval_s)},
                  {"health_timeout", seconds(recipe.health.timeout_s)},
                  {"health_start_period", seconds(recipe.health.start_period_s)},
                  {"health_retries", std::to_string(recipe.health.retries)},
                  {"health_command", json_array(recipe.health.command)}};
  const auto each = [&values](const char* list, const auto& pairs) {
    for (const auto& [key, value] : pairs)
      values.lists[list].push_back({{{"key", key}, {"value", dockerfile_string(value)}}, {}});
  };
  each("environment", recipe.environment);
  each("labels", recipe.labels);
  values.lists["parts"] = stages(recipe);
  values.lists["verifier"].resize(sources.verifier.empty() ? 0 : 1);
  auto& ports = values.lists["ports"];
  for (const auto& port : recipe.ports) ports.push_back({{{"port", port}}, {}});

  TK_TRY(const auto text, sys::read_file(templates / "Dockerfile.mustache"));
  TK_TRY(auto dockerfile, render_template(text, "templates/Dockerfile.mustache", values));
  std::vector<ContextFile> files = {{"Dockerfile", std::move(dockerfile)},
                                    {"requirements.txt", requirements_text(lock, recipe.wheel_layers)}};
  for (const auto& plan : recipe.parts)
    if (!plan.wheel_layers.empty())
      files.push_back({requirements_file(plan.part), requirements_text(lock, plan.wheel_layers)});
  TK_TRY(const auto ignore, sys::read_file(templates / "dockerignore.mustache"));
  TK_TRY(auto ignored, render_template(ignore, "templates/dockerignore.mustache", values));
  files.push_back({".dockerignore", std::move(ignored)});
  files.push_back({"pyvenv.cfg", pyvenv_cfg(recipe)});
  for (const auto& file : sources.own) files.push_back({"root/" + file.path, file.content, file.mode, file.type});
  for (const auto& file : sources.verifier) files.push_back({"verifier/" + file.path, file.content, file.mode});
  return files;
}

}  // namespace torchkiln::recipe
