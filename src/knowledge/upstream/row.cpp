#include "knowledge/upstream/row.hpp"

#include "foundation/base/text.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace torchkiln::upstream {

namespace {

template <class Values>
std::string list_of(const Values& values) {
  std::vector<std::string> texts;
  for (const auto& value : values) texts.push_back(value.to_string());
  return toml_list(texts);
}

/// Requirements stand a line each.
std::string requirement_lines(std::vector<std::string> requirements) {
  std::sort(requirements.begin(), requirements.end());
  std::string text = "[\n";
  for (const auto& requirement : requirements) text += "  " + toml_text(requirement) + ",\n";
  return text + "]";
}

std::string minor_file(const version::Version& pytorch) {
  return fmt::format("pytorch-{}.{}.toml", pytorch.part(0), pytorch.part(1));
}

Row row(Table table, std::string identity, std::string scope, std::string label, std::string file, Order order,
        const matrix::Provenance& from) {
  Row result;
  result.table = table;
  result.identity = std::string(name(table)) + " " + std::move(identity);
  result.scope = std::string(name(table)) + " " + std::move(scope);
  result.label = std::move(label);
  result.file = std::move(file);
  result.order = std::move(order);
  result.from = from;
  return result;
}

}  // namespace

std::string_view name(Table table) {
  switch (table) {
    case Table::release:
      return "release";
    case Table::build:
      return "build";
    case Table::companion:
      return "companion";
    case Table::metapackage:
      return "metapackage";
    case Table::toolkit:
      return "toolkit";
    case Table::nccl:
      return "nccl";
  }
  return "";
}

const Field* Row::find(std::string_view key) const {
  const auto found =
      std::find_if(fields.begin(), fields.end(), [&](const Field& field) { return field.key == key; });
  return found == fields.end() ? nullptr : &*found;
}

std::string toml_list(const std::vector<std::string>& texts) {
  std::vector<std::string> quoted;
  for (const auto& text : texts) quoted.push_back(toml_text(text));
  return "[" + base::join(quoted, ", ") + "]";
}

Row row_of(const matrix::Release& release) {
  const auto version = release.pytorch.to_string();
  auto result = row(Table::release, version, "", "PyTorch " + version, minor_file(release.pytorch),
                    {0, release.pytorch}, release.from);
  result.fields.push_back({"pytorch", toml_text(version), Role::identity});
  if (!release.released.empty()) result.fields.push_back({"released", release.released});
  return result;
}

Row row_of(const matrix::Build& build) {
  const auto version = build.pytorch.to_string();
  const std::string architecture(matrix::name(build.architecture));
  const bool is_default = build.index == "default";
  // The default index has one build for each machine; upstream's has one for each variant too.
  const auto identity = is_default ? fmt::format("{} default {}", version, architecture)
                                   : fmt::format("{}+{} {} {}", version, build.variant, build.index, architecture);
  const int group = (build.architecture == matrix::Architecture::x86_64 ? 0 : 2) + (is_default ? 0 : 1);
  const auto shown = build.variant.empty() ? version : build.full_version().to_string();
  auto result = row(Table::build, identity, is_default ? "default" : "pytorch " + build.variant,
                    fmt::format("{} for {}", shown, architecture), minor_file(build.pytorch),
                    {group, build.pytorch}, build.from);
  auto& fields = result.fields;
  fields.push_back({"pytorch", toml_list({version}), Role::identity});
  if (!build.variant.empty())
    fields.push_back({"variant", toml_text(build.variant), is_default ? Role::observed : Role::identity});
  fields.push_back({"architecture", toml_text(architecture), Role::identity});
  fields.push_back({"index", toml_text(build.index), Role::identity});
  fields.push_back({"status", toml_text(matrix::name(build.status)), Role::assumed});
  if (build.cuda) fields.push_back({"cuda", toml_text(build.cuda->to_string())});
  if (build.cudnn) fields.push_back({"cudnn", toml_text(build.cudnn->to_string())});
  if (build.nccl) fields.push_back({"nccl", toml_text(build.nccl->to_string())});
  if (!build.python.empty()) fields.push_back({"python", toml_list(build.python)});
  if (build.glibc.part(0) != 0) fields.push_back({"glibc", toml_text(build.glibc.to_string())});
  if (build.cxx11_abi) fields.push_back({"cxx11_abi", *build.cxx11_abi ? "true" : "false"});
  if (build.sass) {
    fields.push_back({"sass", list_of(*build.sass)});
    fields.push_back({"ptx", list_of(build.ptx)});
  }
  if (build.wheel_bytes) fields.push_back({"wheel_bytes", std::to_string(*build.wheel_bytes)});
  if (build.download_bytes) fields.push_back({"download_bytes", std::to_string(*build.download_bytes)});
  if (!build.requirements.empty() || (build.cuda && build.has_all_requirements))
    fields.push_back({"requirements", requirement_lines(build.requirements)});
  return result;
}

Row row_of(const matrix::Companion& companion) {
  const auto& packages = matrix::k_companions;
  const auto place = std::find(packages.begin(), packages.end(), companion.package) - packages.begin();
  const auto version = companion.release.to_string();
  auto result =
      row(Table::companion, companion.package + " " + version, companion.package, companion.package + " " + version,
          "companions.toml", {static_cast<int>(place), companion.release}, companion.from);
  auto& fields = result.fields;
  fields.push_back({"package", toml_text(companion.package), Role::identity});
  fields.push_back({"release", toml_text(version), Role::identity});
  if (!companion.pytorch.empty()) fields.push_back({"pytorch", list_of(companion.pytorch)});
  if (companion.torch) fields.push_back({"torch", toml_text(companion.torch->text())});
  if (!companion.python.empty()) fields.push_back({"python", toml_list(companion.python)});
  return result;
}

Row row_of(const matrix::Metapackage& metapackage) {
  const auto label = metapackage.package + " " + metapackage.release.to_string();
  auto result = row(Table::metapackage, label, metapackage.package, label, "metapackages.toml",
                    {0, metapackage.release}, metapackage.from);
  result.fields.push_back({"package", toml_text(metapackage.package), Role::identity});
  result.fields.push_back({"release", toml_text(metapackage.release.to_string()), Role::identity});
  for (const auto& [extra, requirement] : metapackage.extras)
    result.extras.push_back({extra, toml_text(requirement)});
  return result;
}

Row row_of(const matrix::Toolkit& toolkit) {
  const auto version = toolkit.cuda.to_string();
  auto result =
      row(Table::toolkit, version, "", "CUDA " + version, "cuda.toml",
          {0, version::Version::of({toolkit.cuda.major, toolkit.cuda.minor, toolkit.cuda.patch})}, toolkit.from);
  result.fields.push_back({"cuda", toml_text(version), Role::identity});
  result.fields.push_back({"driver", toml_text(toolkit.driver.to_string())});
  return result;
}

Row row_of(const matrix::Nccl& packages) {
  const auto label = fmt::format("NCCL for CUDA {}", packages.cuda_major);
  auto result = row(Table::nccl, label, label, label, "nccl.toml", {0, version::Version::of({packages.cuda_major})},
                    packages.from);
  result.fields.push_back({"first", toml_text(packages.first.to_string())});
  result.fields.push_back({"last", toml_text(packages.last.to_string())});
  result.fields.push_back({"cuda_major", std::to_string(packages.cuda_major), Role::identity});
  return result;
}

std::vector<Row> known_rows(const matrix::Matrix& matrix) {
  std::vector<Row> rows;
  const auto add = [&rows](const auto& table) {
    for (const auto& known : table) rows.push_back(row_of(known));
  };
  add(matrix.releases);
  add(matrix.builds);
  add(matrix.companions);
  add(matrix.metapackages);
  add(matrix.toolkits);
  for (const auto& row : matrix.nccls)
    if (row.compute.empty()) rows.push_back(row_of(row));
  return rows;
}

std::string to_toml(const Row& row) {
  std::string text = fmt::format("[[{}]]\n", name(row.table));
  for (const auto& field : row.fields) text += field.key + " = " + field.value + "\n";
  text += fmt::format("source = {}\ngrade = {}\ndate = {}\n", toml_text(row.from.source),
                      toml_text(matrix::name(row.from.grade)), row.from.date);
  if (!row.from.note.empty()) text += "note = " + toml_text(row.from.note) + "\n";
  if (!row.extras.empty()) text += fmt::format("[{}.extras]\n", name(row.table));
  for (const auto& extra : row.extras) text += extra.key + " = " + extra.value + "\n";
  return text;
}

}  // namespace torchkiln::upstream
