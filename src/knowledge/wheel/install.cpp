#include "knowledge/wheel/install.hpp"

#include "foundation/base/digest.hpp"
#include "foundation/base/text.hpp"
#include "knowledge/wheel/inflate.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <unordered_map>

#include <fmt/format.h>

namespace torchkiln::wheel {

using base::ErrorCode;
using base::fail;
using base::Result;

namespace {

/// "torch-2.8.0.data/scripts/x": the parts after the .data folder, if `name` lies in one.
struct DataPath {
  std::string_view scheme, rest;
};
std::optional<DataPath> data_path(std::string_view name) {
  const auto first = name.find('/');
  if (first == std::string_view::npos || !name.substr(0, first).ends_with(".data")) return std::nullopt;
  name.remove_prefix(first + 1);
  const auto second = name.find('/');
  if (second == std::string_view::npos) return DataPath{name, {}};
  return DataPath{name.substr(0, second), name.substr(second + 1)};
}

/// `path` as RECORD writes it: relative to site-packages.
std::string record_path(const std::string& path, const InstallScheme& scheme) {
  const auto site = scheme.site_packages() + "/";
  if (path.starts_with(site)) return path.substr(site.size());
  std::string up;
  std::string_view base = site;
  // Climb to the deepest common folder; everything we install lies below the prefix.
  while (!std::string_view(path).starts_with(base)) {
    base.remove_suffix(1);
    base = base.substr(0, base.rfind('/') + 1);
    up += "../";
  }
  return up + path.substr(base.size());
}

/// The launcher that pip, uv and we write for an entry point; only the wording differs between installers.
std::string launcher(const EntryPoint& point, const InstallScheme& scheme) {
  const auto imported = point.object.substr(0, point.object.find('.'));
  return fmt::format(
      "#!{}\n"
      "import sys\n"
      "from {} import {}\n"
      "if __name__ == \"__main__\":\n"
      "    sys.exit({}())\n",
      scheme.interpreter(), point.module, imported, point.object);
}

/// "pip", "pip3", "pip3.11".
bool is_pip_name(std::string_view name) {
  return name.starts_with("pip") && name.substr(3).find_first_not_of("0123456789.") == std::string_view::npos;
}

/// pip installs its own scripts under versioned names, whatever its entry points say; do the same.
std::vector<EntryPoint> scripts_of(const Wheel& wheel, const InstallScheme& scheme) {
  std::vector<EntryPoint> points = wheel.entry_points();
  if (normalized_name(wheel.name().distribution) != "pip") return points;
  const auto pip = std::find_if(points.begin(), points.end(), [](const EntryPoint& p) { return p.name == "pip"; });
  if (pip == points.end()) return points;
  const EntryPoint target = *pip;
  points.erase(
      std::remove_if(points.begin(), points.end(), [](const EntryPoint& p) { return is_pip_name(p.name); }),
      points.end());
  for (const std::string& name :
       {std::string("pip"), "pip" + scheme.python_version.substr(0, scheme.python_version.find('.')),
        "pip" + scheme.python_version})
    points.push_back({name, target.module, target.object});
  return points;
}

/// Whether a file of .data/scripts is what setuptools made for one of the entry points, as pip judges it.
bool is_launcher_of(std::string_view path, const std::vector<EntryPoint>& points) {
  auto name = path.substr(path.rfind('/') + 1);
  for (const std::string_view ending : {".exe", "-script.py", ".pya"})
    if (base::lower(name).ends_with(ending)) {
      name.remove_suffix(ending.size());
      break;
    }
  return std::any_of(points.begin(), points.end(), [&](const EntryPoint& point) { return point.name == name; });
}

/// A wheel must not replace what makes the virtual environment one.
Result<void> check_not_environment(std::string_view path, std::string_view file_name, const InstallScheme& scheme) {
  const std::string bin = scheme.prefix + "/bin/", lib64 = scheme.prefix + "/lib64";
  for (const auto& own : {bin + "python", bin + "python3", bin + "python" + scheme.python_version,
                          scheme.prefix + "/pyvenv.cfg", lib64, scheme.versioned_library()})
    if (path == own || path.starts_with(lib64 + "/"))
      return bad_wheel(file_name, "it would replace /" + std::string(path) + " of the environment");
  return {};
}

std::string record_hash(std::string_view content) {
  return "sha256=" + base::Digest::of(content).base64url();
}

/// RECORD of the installed wheel: the wheel's own rows at their new places, hashes anew where content changed.
Result<std::string> installed_record(const Wheel& wheel, const InstallScheme& scheme,
                                     std::span<const InstalledFile> files, const std::string& own_path) {
  std::unordered_map<std::string_view, const RecordRow*> row_of;
  for (const auto& row : wheel.record()) row_of.emplace(row.path, &row);
  std::vector<RecordRow> rows;
  for (const auto& file : files) {
    RecordRow row{record_path(file.path, scheme), "", ""};
    if (!file.entry) {
      row.hash = record_hash(file.content);
      row.size = std::to_string(file.content.size());
    } else if (const auto found = row_of.find(file.entry->name);
               found != row_of.end() && !found->second->hash.empty()) {
      row.hash = found->second->hash;
      row.size = found->second->size;
    } else {
      // A file that RECORD forgot or gives no hash for: uv adds it, and so do we.
      TK_TRY(const auto content, wheel.content(*file.entry));
      row.hash = record_hash(content);
      row.size = std::to_string(content.size());
    }
    rows.push_back(std::move(row));
  }
  rows.push_back({record_path(own_path, scheme), "", ""});
  std::sort(rows.begin(), rows.end(), [](const RecordRow& a, const RecordRow& b) { return a.path < b.path; });
  return format_record(rows);
}

}  // namespace

Result<std::string> installed_path(std::string_view entry_name, std::string_view file_name,
                                   const InstallScheme& scheme) {
  if (entry_name.ends_with('/')) return std::string();
  const auto data = data_path(entry_name);
  if (!data) {
    if (entry_name.ends_with(".dist-info/RECORD") && entry_name.find('/') == entry_name.rfind('/'))
      return std::string();
    return scheme.site_packages() + "/" + std::string(entry_name);
  }
  std::string folder;
  if (data->scheme == "purelib" || data->scheme == "platlib") folder = scheme.site_packages();
  if (data->scheme == "scripts") folder = scheme.prefix + "/bin";
  if (data->scheme == "data") folder = scheme.prefix;
  if (data->scheme == "headers") {
    // The venv scheme's "include/site/pythonX.Y/<distribution>", as pip and uv use it.
    TK_TRY(const auto name, parse_wheel_name(file_name));
    folder = scheme.prefix + "/include/site/python" + scheme.python_version + "/" + name.distribution;
  }
  if (folder.empty() || data->rest.empty())
    return bad_wheel(file_name, "'" + std::string(entry_name) + "' is in no known part of a .data folder");
  auto path = folder + "/" + std::string(data->rest);
  // Through the link, as the kernel would go.
  if (const auto link = scheme.versioned_library() + "/"; path.starts_with(link))
    path = scheme.prefix + "/lib/python3/" + path.substr(link.size());
  TK_CHECK(check_not_environment(path, file_name, scheme));
  return path;
}

bool is_version_free(const Wheel& wheel) {
  if (normalized_name(wheel.name().distribution) == "pip") return false;
  return std::none_of(wheel.entries().begin(), wheel.entries().end(), [](const ZipEntry& entry) {
    const auto data = data_path(entry.name);
    return data && (data->scheme == "headers" || data->rest.starts_with("lib/python"));
  });
}

Result<std::vector<InstalledFile>> plan_install(const Wheel& wheel, const InstallScheme& scheme) {
  const auto info = scheme.site_packages() + "/" + wheel.dist_info() + "/";
  const auto bin = scheme.prefix + "/bin/";
  std::map<std::string, InstalledFile> files;
  const auto points = scripts_of(wheel, scheme);

  for (const auto& entry : wheel.entries()) {
    TK_TRY(const auto path, installed_path(entry.name, wheel.file_name(), scheme));
    if (path.empty()) continue;
    InstalledFile file{path, entry.is_executable, &entry, {}};
    const auto data = data_path(entry.name);
    if (data && data->scheme == "scripts") {
      if (is_launcher_of(path, wheel.entry_points())) continue;  // ours takes its place
      file.is_executable = true;
      TK_TRY(auto content, wheel.content(entry));
      if (content.starts_with("#!python")) {
        // "#!python" and "#!pythonw" mean the environment's interpreter.
        const auto line_end = std::min(content.find('\n'), content.size());
        const auto arguments = content.find(' ');
        const auto rest = arguments < line_end ? content.substr(arguments) : content.substr(line_end);
        file.content = "#!" + scheme.interpreter() + rest;
        file.entry = nullptr;
      }
    }
    if (!files.emplace(path, std::move(file)).second)
      return bad_wheel(wheel.file_name(), "it installs /" + path + " twice");
  }
  for (const auto& point : points) {
    TK_CHECK(check_not_environment(bin + point.name, wheel.file_name(), scheme));
    files[bin + point.name] = {bin + point.name, true, nullptr, launcher(point, scheme)};
  }
  files[info + "INSTALLER"] = {info + "INSTALLER", false, nullptr, "torchkiln\n"};
  for (const auto& [path, file] : files)
    for (auto slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1))
      if (const auto folder = path.substr(0, slash); files.count(folder))
        return bad_wheel(wheel.file_name(), "it installs /" + folder + " as a file and as a folder");

  std::vector<InstalledFile> plan;
  for (auto& [path, file] : files) plan.push_back(std::move(file));
  const auto record = info + "RECORD";
  TK_TRY(auto content, installed_record(wheel, scheme, plan, record));
  InstalledFile file{record, false, nullptr, std::move(content)};
  plan.insert(std::lower_bound(plan.begin(), plan.end(), record,
                               [](const InstalledFile& f, const std::string& path) { return f.path < path; }),
              std::move(file));
  return plan;
}

Result<void> check_conflicts(std::span<const WheelContents> wheels, const InstallScheme& scheme) {
  struct Owner {
    std::size_t wheel;
    const ZipEntry* entry;
  };
  std::unordered_map<std::string, Owner> owners;
  struct Clash {
    std::size_t count = 0;
    std::string first_path;
  };
  std::map<std::pair<std::size_t, std::size_t>, Clash> clashes;
  auto clash = [&](std::size_t a, std::size_t b, const std::string& path) {
    auto& found = clashes[{std::min(a, b), std::max(a, b)}];
    if (found.count++ == 0 || path < found.first_path) found.first_path = path;
  };
  for (std::size_t i = 0; i < wheels.size(); ++i)
    for (const auto& entry : wheels[i].entries) {
      TK_TRY(const auto path, installed_path(entry.name, wheels[i].file_name, scheme));
      if (path.empty()) continue;
      const auto [at, is_new] = owners.emplace(path, Owner{i, &entry});
      if (is_new || at->second.wheel == i) continue;
      const auto& other = *at->second.entry;
      if (other.crc32 != entry.crc32 || other.size_bytes != entry.size_bytes) clash(at->second.wheel, i, path);
    }
  for (const auto& [path, owner] : owners)
    for (auto slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1))
      if (const auto at = owners.find(path.substr(0, slash)); at != owners.end() && at->second.wheel != owner.wheel)
        clash(at->second.wheel, owner.wheel, at->first);
  if (clashes.empty()) return {};

  base::Error error;
  error.code = ErrorCode::package_conflict;
  const auto& [pair, first] = *clashes.begin();
  error.message = fmt::format("{} and {} install the same path with different content: /{}",
                              wheels[pair.first].file_name, wheels[pair.second].file_name, first.first_path);
  for (const auto& [names, found] : clashes)
    error.notes.push_back(fmt::format("{} path{} of {} and {}", found.count, found.count == 1 ? "" : "s",
                                      wheels[names.first].file_name, wheels[names.second].file_name));
  error.hints.push_back("keep one of them: which file would win is an accident of the order of installation");
  return fail(std::move(error));
}

}  // namespace torchkiln::wheel
