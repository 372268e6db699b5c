#include "plan/lock/debian.hpp"

#include "foundation/base/text.hpp"
#include "foundation/sys/files.hpp"
#include "foundation/sys/process.hpp"

#include <algorithm>
#include <functional>
#include <map>

#include <fmt/format.h>

namespace torchkiln::lock {

using base::ErrorCode;
using base::fail;
using base::Result;
namespace fs = std::filesystem;

namespace {

constexpr double k_update_timeout_s = 300, k_resolve_timeout_s = 120;

/// apt's configuration for an empty system of its own: nothing of the host's packages or preferences counts.
Result<fs::path> write_apt_folder(const DebianRequest& request) {
  std::string sources;
  for (const auto& source : request.sources) sources += source.line + "\n";
  // Lists of other sources live in another folder, so that a change of mirror leaves nothing behind.
  const auto root = request.state /
                    base::Digest::of(request.architecture + "\n" + sources + request.installed).hex().substr(0, 16);
  for (const char* folder : {"state/lists/partial", "cache/archives/partial", "log"})
    TK_CHECK(sys::make_directories(root / folder));
  TK_CHECK(sys::write_file(root / "status", request.installed));
  TK_CHECK(sys::write_file(root / "sources.list", sources));
  const auto path = root.string();
  TK_CHECK(sys::write_file(root / "apt.conf", fmt::format(R"(Dir::State "{0}/state";
Dir::State::Lists "{0}/state/lists";
Dir::State::status "{0}/status";
Dir::Cache "{0}/cache";
Dir::Log "{0}/log";
Dir::Etc::main "/dev/null";
Dir::Etc::parts "/dev/null";
Dir::Etc::sourcelist "{0}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Acquire::Languages "none";
Acquire::ForceHash "sha256";
Acquire::Retries "3";
APT::Architecture "{1}";
APT::Architectures {{ "{1}"; }};
APT::Install-Recommends "false";
APT::Sandbox::User "";
APT::Update::Error-Mode "any";
)",
                                                          path, request.architecture)));
  return root;
}

Result<sys::ProcessOutput> apt_get(const fs::path& root, std::vector<std::string> arguments, double timeout_s) {
  sys::Command command;
  command.arguments = {"apt-get"};
  command.arguments.insert(command.arguments.end(), arguments.begin(), arguments.end());
  auto environment = sys::current_environment();
  environment["APT_CONFIG"] = (root / "apt.conf").string();
  environment["LC_ALL"] = "C.UTF-8";
  command.environment = std::move(environment);
  command.timeout_s = timeout_s;
  return sys::run(command);
}

base::Error apt_error(const sys::ProcessOutput& done, const DebianRequest& request, ErrorCode code,
                      const std::string& message) {
  base::Error error{code, message, std::nullopt, {}, {}};
  for (const auto line : base::lines(done.errors)) {
    if (!line.starts_with("E:") && !line.starts_with("W:")) continue;
    if (error.notes.size() < 8) error.notes.push_back(base::without_credentials(base::trim(line.substr(2))));
    constexpr std::string_view k_unknown = "E: Unable to locate package ";
    if (!line.starts_with(k_unknown)) continue;
    const std::string name(base::trim(line.substr(k_unknown.size())));
    for (const auto& package : request.system_packages)
      if (package.value == name) {
        error.code = ErrorCode::spec_invalid;
        error.message = "there is no Debian package '" + name + "'";
        error.where = package.place;
        error.notes.clear();
        error.hints = {"check the spelling: 'apt-cache search WORD' lists packages"};
        return error;
      }
  }
  return error;
}

/// Whether apt fetched lists of packages into `root` before.
bool has_lists(const fs::path& root) {
  const auto names = sys::list_directory(root / "state/lists");
  return names && std::any_of(names->begin(), names->end(),
                              [](const std::string& name) { return name.find("_Packages") != std::string::npos; });
}

Result<std::map<std::string, LockedDeb>> resolve(const fs::path& root, const DebianRequest& request,
                                                 const std::vector<std::string>& packages) {
  std::vector<std::string> arguments = {"-qq", "--yes", "--print-uris", "install"};
  // A system that is there keeps what it has.
  arguments.emplace_back(request.installed.empty() ? "?essential" : "--no-upgrade");
  arguments.insert(arguments.end(), packages.begin(), packages.end());
  TK_TRY(const auto done, apt_get(root, arguments, k_resolve_timeout_s));
  if (done.exit_status != 0)
    return fail(
        apt_error(done, request, ErrorCode::package_conflict, "no set of Debian packages satisfies the spec"));
  std::map<std::string, LockedDeb> debs;
  for (const auto line : base::lines(done.output)) {
    if (!line.starts_with('\'')) continue;
    TK_TRY(auto deb, parse_print_uris_line(line));
    const auto name = deb.name;
    debs[name] = std::move(deb);
  }
  return debs;
}

}  // namespace

Result<LockedDeb> parse_print_uris_line(std::string_view line) {
  const auto bad = [&] {
    return fail(ErrorCode::tool_failed, "apt-get --print-uris said '" + base::without_credentials(line) + "'");
  };
  const auto quote = line.find('\'', 1);
  if (!line.starts_with('\'') || quote == std::string_view::npos) return bad();
  LockedDeb deb;
  deb.url = base::without_credentials(line.substr(1, quote - 1));
  const auto parts = base::split(base::trim(line.substr(quote + 1)), ' ');
  if (parts.size() != 3 || !parts[2].starts_with("SHA256:") || !parts[0].ends_with(".deb")) return bad();
  // "name_version_arch.deb", with ":" in the version written as "%3a".
  const auto pieces = base::split(parts[0].substr(0, parts[0].size() - 4), '_');
  const auto size = base::parse_integer(parts[1]);
  if (pieces.size() != 3 || !size || *size < 0 || parts[0].find('/') != std::string_view::npos) return bad();
  for (const auto piece : pieces)
    if (piece.empty()) return bad();
  deb.name = pieces[0];
  deb.version = base::replace_all(std::string(pieces[1]), "%3a", ":");
  deb.architecture = pieces[2];
  deb.size_bytes = static_cast<std::uint64_t>(*size);
  const auto digest = base::Digest::parse(parts[2].substr(7));
  if (!digest) return bad();
  deb.digest = *digest;
  return deb;
}

Result<std::vector<LockedDeb>> pin_debian(const DebianRequest& request) {
  TK_TRY(const auto root, write_apt_folder(request));
  if (request.network == sys::NetworkAccess::allowed) {
    TK_TRY(const auto updated, apt_get(root, {"-q", "update"}, k_update_timeout_s));
    if (updated.exit_status != 0 || updated.timed_out) {
      auto error =
          apt_error(updated, request, ErrorCode::network_failed, "the Debian mirror does not answer as it should");
      error.hints = {
          "check the network and apt's configuration, or name a mirror: --mirror http://mirror.example/debian"};
      return fail(std::move(error));
    }
  }
  if (request.network == sys::NetworkAccess::forbidden && !has_lists(root))
    return fail(ErrorCode::network_failed, "apt has no package lists of the Debian mirror",
                {"run once without --offline, so that they are fetched"});
  auto wanted = request.base_packages;
  for (const auto& package : request.system_packages) wanted.push_back(package.value);
  TK_TRY(auto debs, resolve(root, request, wanted));
  const auto base = debs;
  /// What comes on top of the base with these packages, each noted by `note`.
  const auto add = [&](const std::vector<std::string>& packages,
                       const std::function<void(LockedDeb&)>& note) -> Result<void> {
    if (packages.empty()) return {};
    auto all = wanted;
    all.insert(all.end(), packages.begin(), packages.end());
    TK_TRY(const auto with_them, resolve(root, request, all));
    for (const auto& [name, deb] : with_them)
      if (!base.count(name)) note(debs.emplace(name, deb).first->second);
    return {};
  };
  TK_CHECK(add(request.build_packages, [](LockedDeb& deb) { deb.in_build_root = true; }));
  for (const auto& one : request.parts)
    TK_CHECK(add(one.packages, [&](LockedDeb& deb) { deb.parts.add(one.part); }));
  std::vector<LockedDeb> sorted;
  for (auto& [name, deb] : debs) sorted.push_back(std::move(deb));
  return sorted;
}

}  // namespace torchkiln::lock
