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

std::string requirements_text(const lock::Lock& lock) {
  std::string text = "# Every wheel of the image, pinned by its SHA-256. Made from kiln.lock.\n";
  for (const auto& wheel : lock.wheels)
    text += fmt::format("{}=={} --hash=sha256:{}\n", wheel.name, wheel.version, wheel.digest.hex());
  return text;
}

}  // namespace

ContextNames context_names(const lock::Lock& lock) {
  ContextNames names;
  for (const auto& wheel : lock.wheels)
    if (wheel.name == "pip") names.pip_wheel = wheel.file_name;
  TK_ASSERT(!names.pip_wheel.empty(), "every lock holds pip");
  return names;
}

Result<std::vector<ContextFile>> render_context(const lock::Lock& lock, const Recipe& recipe,
                                                const std::filesystem::path& templates) {
  const auto names = context_names(lock);
  TemplateValues values;
  values.texts = {{"reference", recipe.reference},
                  {"pytorch", lock.resolution.pytorch + "+" + lock.resolution.build},
                  {"python", lock.resolution.python},
                  {"os", lock.resolution.os},
                  {"prefix", "/" + recipe.scheme.prefix},
                  {"rootfs", names.rootfs},
                  {"pip_wheel", names.pip_wheel},
                  {"user_name", lock.user.name},
                  {"uid", std::to_string(lock.user.uid)},
                  {"gid", std::to_string(lock.user.gid)},
                  {"user", recipe.user},
                  {"working_directory", recipe.working_directory},
                  {"entrypoint", json_array(recipe.entrypoint)},
                  {"command", json_array(recipe.command)}};
  auto& environment = values.lists["environment"];
  for (const auto& [key, value] : recipe.environment)
    environment.push_back({{"key", key}, {"value", dockerfile_string(value)}});
  auto& labels = values.lists["labels"];
  for (const auto& [key, value] : recipe.labels)
    labels.push_back({{"key", key}, {"value", dockerfile_string(value)}});

  const auto file = "Dockerfile." + std::string(name(recipe.variant)) + ".mustache";
  TK_TRY(const auto text, sys::read_file(templates / file));
  TK_TRY(auto dockerfile, render_template(text, "templates/" + file, values));
  std::vector<ContextFile> files = {{"Dockerfile", std::move(dockerfile)},
                                    {"requirements.txt", requirements_text(lock)}};
  TK_TRY(const auto ignore, sys::read_file(templates / "dockerignore.mustache"));
  TK_TRY(auto ignored, render_template(ignore, "templates/dockerignore.mustache", values));
  files.push_back({".dockerignore", std::move(ignored)});
  files.push_back({"pyvenv.cfg", pyvenv_cfg(recipe)});
  return files;
}

}  // namespace torchkiln::recipe
