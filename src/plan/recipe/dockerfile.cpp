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

/// What a stage is called that puts an extension on top.
std::string stage_name(std::size_t extension) {
  return fmt::format("extension-{}", extension + 1);
}

std::string requirements_file(std::string_view stage) {
  return fmt::format("requirements-{}.txt", stage);
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

/// What comes on top of the base, lowest first.
struct Stage {
  std::string name, purpose;
  std::vector<std::string> tars;  ///< of its Debian packages and archives
  const WheelLayers* wheels;
};
std::vector<Stage> stages_of(const Recipe& recipe) {
  std::vector<Stage> stages;
  for (const auto& plan : recipe.parts) {
    stages.push_back({std::string(name(plan.part)), purpose(plan.part), {}, &plan.wheel_layers});
    if (plan.has_packages) stages.back().tars.push_back(packages_file(plan.part));
    if (plan.has_archives) stages.back().tars.push_back(archives_file(plan.part));
  }
  for (std::size_t i = 0; i < recipe.extensions.size(); ++i) {
    stages.push_back(
        {stage_name(i), "What a spec that extends another adds.", {}, &recipe.extensions[i].wheel_layers});
    if (recipe.extensions[i].has_packages) stages.back().tars.push_back(packages_file(i));
  }
  return stages;
}

/// A stage for each, on top of the one before it.
std::vector<TemplateValues> stage_values(const std::vector<Stage>& stages) {
  std::vector<TemplateValues> values;
  std::string below = "base";
  for (const auto& stage : stages) {
    TemplateValues one{{{"part", stage.name}, {"below", below}, {"purpose", stage.purpose}},
                       {{"tars", {}}, {"wheels", {}}}};
    for (const auto& tar : stage.tars) one.lists["tars"].push_back({{{"tar", tar}}, {}});
    if (!stage.wheels->empty())
      one.lists["wheels"].push_back({{{"requirements", requirements_file(stage.name)}}, {}});
    values.push_back(std::move(one));
    below = stage.name;
  }
  return values;
}

/// Dockerfile's form of a duration.
std::string seconds(double s) {
  return fmt::format("{:.0f}s", s);
}

}  // namespace

std::string packages_file(spec::Part part) {
  return std::string(name(part)) + ".tar.gz";
}

std::string archives_file(spec::Part part) {
  return std::string(name(part)) + "-cuda.tar.gz";
}

std::string packages_file(std::size_t extension) {
  return stage_name(extension) + ".tar.gz";
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
  const auto stages = stages_of(recipe);
  TemplateValues values;
  values.texts = {{"reference", recipe.reference},
                  {"pytorch", lock.resolution.pytorch + "+" + lock.resolution.build},
                  {"python", lock.resolution.python},
                  {"os", lock.resolution.os},
                  {"prefix", "/" + recipe.scheme.prefix},
                  {"from", lock.base && !lock.base->from.empty() ? lock.base->from : "scratch"},
                  {"python_home", recipe.python_home},
                  {"pip_wheel", names.pip_wheel},
                  {"site_packages", "/" + recipe.scheme.site_packages()},
                  {"build_packages", names.build_packages},
                  {"top", stages.empty() ? "base" : stages.back().name},
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
  auto& base_tars = values.lists["base_tars"];
  const auto add_base_tar = [&](const std::string& tar) { base_tars.push_back({{{"tar", tar}}, {}}); };
  if (!lock.base || lock.base->from.empty())
    add_base_tar(names.rootfs);
  else if (sources.has_base_packages)
    add_base_tar(names.base_packages);
  if (lock.python) add_base_tar(names.python);
  values.lists["parts"] = stage_values(stages);
  values.lists["verifier"].resize(sources.verifier.empty() ? 0 : 1);
  auto& ports = values.lists["ports"];
  for (const auto& port : recipe.ports) ports.push_back({{{"port", port}}, {}});

  TK_TRY(const auto text, sys::read_file(templates / "Dockerfile.mustache"));
  TK_TRY(auto dockerfile, render_template(text, "templates/Dockerfile.mustache", values));
  std::vector<ContextFile> files = {{"Dockerfile", std::move(dockerfile)},
                                    {"requirements.txt", requirements_text(lock, recipe.wheel_layers)}};
  for (const auto& stage : stages)
    if (!stage.wheels->empty())
      files.push_back({requirements_file(stage.name), requirements_text(lock, *stage.wheels)});
  TK_TRY(const auto ignore, sys::read_file(templates / "dockerignore.mustache"));
  TK_TRY(auto ignored, render_template(ignore, "templates/dockerignore.mustache", values));
  files.push_back({".dockerignore", std::move(ignored)});
  files.push_back({"pyvenv.cfg", pyvenv_cfg(recipe)});
  for (const auto& file : sources.own) files.push_back({"root/" + file.path, file.content, file.mode, file.type});
  for (const auto& file : sources.verifier) files.push_back({"verifier/" + file.path, file.content, file.mode});
  return files;
}

}  // namespace torchkiln::recipe
