#include "foundation/base/text.hpp"
#include "knowledge/spec/spec.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace torchkiln::spec {

namespace {

std::vector<std::string> sorted(std::vector<std::string> texts) {
  std::sort(texts.begin(), texts.end());
  texts.erase(std::unique(texts.begin(), texts.end()), texts.end());
  return texts;
}

std::string canonical(const PythonPackage& package) {
  std::string text = package.name;
  if (!package.extras.empty()) text += "[" + base::join(package.extras, ",") + "]";
  text += package.versions.to_string();
  if (!package.marker.empty()) text += "; " + package.marker;
  return text;
}

}  // namespace

std::string canonical_json(const Spec& spec) {
  using Json = nlohmann::ordered_json;
  Json require = Json::object();
  const auto put = [&](const char* key, const std::optional<Placed<version::SpecifierSet>>& set) {
    if (set) require[key] = set->value.to_string();
  };
  put("pytorch", spec.require.pytorch);
  put("python", spec.require.python);
  put("cuda", spec.require.cuda);
  put("cudnn", spec.require.cudnn);
  put("nccl", spec.require.nccl);
  if (spec.require.os) require["os"] = spec.require.os->value;
  if (spec.require.driver) require["driver"] = spec.require.driver->value.to_string();
  std::vector<std::string> gpus;
  for (const auto& gpu : spec.require.gpus) gpus.push_back(base::lower(gpu.value));
  if (!gpus.empty()) require["gpus"] = sorted(std::move(gpus));
  if (spec.require.architecture) require["architecture"] = spec.require.architecture->value;
  if (spec.require.prefer) require["prefer"] = name(spec.require.prefer->value);
  if (spec.require.forward_compat) require["forward_compat"] = spec.require.forward_compat->value;

  std::vector<std::string> variants;
  for (const auto variant : spec.image.variants) variants.emplace_back(name(variant));
  std::vector<std::string> python;
  for (const auto& package : spec.python_packages) python.push_back(canonical(package));
  std::vector<std::string> system;
  for (const auto& package : spec.system_packages) system.push_back(package.value);

  Json json = {
      {"schema", "torchkiln.spec/1"},
      {"image", {{"name", spec.image.name.value}, {"variants", sorted(std::move(variants))}}},
      {"require", std::move(require)},
      {"packages", {{"python", sorted(std::move(python))}, {"system", sorted(std::move(system))}}},
      {"user", {{"name", spec.user.name}, {"uid", spec.user.uid}, {"gid", spec.user.gid}}},
  };
  // What came later is there only where it says something: a lock stays current when torchkiln learns a new word.
  if (!spec.image.verifier) json["image"]["verifier"] = false;
  if (spec.image.bytecode) json["image"]["bytecode"] = true;
  if (spec.below) json["extends"] = spec.below->hex();
  if (spec.base.image) json["base"]["image"] = spec.base.image->value;
  if (const auto& archive = spec.base.python)
    json["base"]["python"] = {{"version", archive->version.value}, {"sha256", archive->digest.hex()}};
  if (spec.devel.cuda) json["devel"]["cuda"] = name(spec.devel.cuda->value);
  // Values come from a UTF-8 TOML file or from argv; bytes that are no UTF-8 must not throw.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace torchkiln::spec
