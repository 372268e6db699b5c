#include "plan/lock/python.hpp"

#include "foundation/base/text.hpp"
#include "foundation/document/document.hpp"
#include "foundation/sys/files.hpp"
#include "foundation/sys/process.hpp"
#include "knowledge/version/pep440.hpp"
#include "knowledge/wheel/wheel.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>

#include <fmt/format.h>

namespace torchkiln::lock {

using base::ErrorCode;
using base::fail;
using base::Result;

namespace {

constexpr double k_uv_timeout_s = 600;

/// The file name at the end of a URL, percent-decoded as far as wheel names need it ("%2B" is "+").
std::string url_file_name(std::string_view url) {
  url = url.substr(0, url.find_first_of("?#"));
  const std::string name(url.substr(url.rfind('/') + 1));
  std::string decoded;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const auto hex = [&](char c) {
      return c >= '0' && c <= '9'   ? c - '0'
             : c >= 'a' && c <= 'f' ? c - 'a' + 10
             : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                    : -1;
    };
    if (name[i] == '%' && i + 2 < name.size() && hex(name[i + 1]) >= 0 && hex(name[i + 2]) >= 0) {
      decoded += static_cast<char>(hex(name[i + 1]) * 16 + hex(name[i + 2]));
      i += 2;
    } else {
      decoded += name[i];
    }
  }
  return decoded;
}

/// What uv's words mean. Its exit status does not tell: a set of packages that cannot be, an index that wants a
/// password and a package that is not in the cache all end with 1 (measured with uv 0.13).
base::Error uv_error(const sys::ProcessOutput& done, const PythonRequest& request) {
  const auto said = [&](std::string_view words) { return done.errors.find(words) != std::string::npos; };
  base::Error error;
  if (said("network was disabled") || said("Network connectivity is disabled")) {
    error.code = ErrorCode::network_failed;
    error.message = "what the lock needs is not in the cache";
    error.hints = {"without --offline the index would be asked"};
  } else if (said("authentication credentials") || said("401 Unauthorized") || said("403 Forbidden")) {
    error.code = ErrorCode::network_failed;
    error.message = "the Python package index wants a user and a password";
    error.hints = {"give them in ~/.netrc, which uv and torchkiln both read"};
  } else if (said("Failed to fetch") || said("Could not connect") || said("error sending request")) {
    error.code = ErrorCode::network_failed;
    error.message = "the Python package index does not answer";
    error.hints = {
        "check the network and pip's configuration, or name an index: --index https://index.example/simple"};
  } else if (said("No solution found")) {
    error.code = ErrorCode::package_conflict;
    error.message = "no set of Python packages satisfies the spec";
    error.hints = {"loosen a requirement in [packages] python, or another PyTorch release: --pytorch VERSION"};
  } else {
    error.code = ErrorCode::tool_failed;
    error.message = fmt::format("'{}' failed with status {}", request.uv.filename().string(), done.exit_status);
  }
  for (const auto line : base::lines(done.errors))
    if (!base::trim(line).empty() && error.notes.size() < 12)
      error.notes.push_back(base::without_credentials(line));
  return error;
}

/// Whether a compressed tag set ("cp310.cp311") has a tag.
bool has_tag(std::string_view tags, std::string_view tag) {
  const auto all = base::split(tags, '.');
  return std::find(all.begin(), all.end(), tag) != all.end();
}

/// Where uv looks for packages, as its own variables: an address may hold a password, and a program's arguments are
/// open to every user of the machine.
void set_indexes(const PythonRequest& request, std::map<std::string, std::string>& environment) {
  if (!request.indexes.index.empty()) environment["UV_DEFAULT_INDEX"] = request.indexes.index;
  std::vector<std::string> further;
  if (!environment["UV_INDEX"].empty()) further.push_back(environment["UV_INDEX"]);
  further.insert(further.end(), request.indexes.extra.begin(), request.indexes.extra.end());
  if (!request.build.empty()) further.push_back(request.indexes.torch_index + "/" + request.build);
  environment.erase("UV_INDEX");
  if (!further.empty()) environment["UV_INDEX"] = base::join(further, " ");
}

std::string joined_lines(const std::vector<std::string>& lines) {
  return base::join(lines, "\n") + "\n";
}

}  // namespace

int wheel_fit(std::string_view file_name, const std::string& python, const std::string& glibc,
              const std::string& architecture) {
  const auto name = wheel::parse_wheel_name(file_name);
  const auto python_version = version::Version::parse(python), glibc_version = version::Version::parse(glibc);
  if (!name || !python_version || !glibc_version) return 0;
  const auto minor = static_cast<int>(python_version->part(1));
  const std::string exact = "cp" + base::replace_all(python, ".", "");

  int interpreter = 0;
  for (const auto tag : base::split(name->python_tag, '.')) {
    const bool abi_exact = has_tag(name->abi_tag, exact), abi3 = has_tag(name->abi_tag, "abi3"),
               abi_none = has_tag(name->abi_tag, "none");
    if (tag == exact && (abi_exact || abi3 || abi_none))
      interpreter = std::max(interpreter, abi_exact ? 400 : abi3 ? 300 : 250);
    if (tag.starts_with("cp3") && abi3)
      if (const auto other = base::parse_integer(tag.substr(3)); other && *other <= minor)
        interpreter = std::max(interpreter, 200 + static_cast<int>(*other));
    if (tag.starts_with("py3") && abi_none) {
      const auto other = tag.size() > 3 ? base::parse_integer(tag.substr(3)) : std::optional<std::int64_t>(0);
      if (other && *other <= minor) interpreter = std::max(interpreter, 100 + static_cast<int>(*other));
    }
  }
  int platform = 0;
  for (const auto tag : base::split(name->platform_tag, '.')) {
    if (tag == "any") platform = std::max(platform, 1);
    if (tag == "linux_" + architecture) platform = std::max(platform, 2);
    if (!tag.ends_with("_" + architecture)) continue;
    std::string_view policy = tag.substr(0, tag.size() - architecture.size() - 1);
    // PEP 600: the old names are aliases of a glibc version.
    if (policy == "manylinux1") policy = "manylinux_2_5";
    if (policy == "manylinux2010") policy = "manylinux_2_12";
    if (policy == "manylinux2014") policy = "manylinux_2_17";
    if (!policy.starts_with("manylinux_2_")) continue;
    const auto needed = base::parse_integer(policy.substr(12));
    if (needed && glibc_version->part(0) == 2 && static_cast<std::uint64_t>(*needed) <= glibc_version->part(1))
      platform = std::max(platform, 10 + static_cast<int>(*needed));
  }
  return interpreter > 0 && platform > 0 ? interpreter * 100 + platform : 0;
}

Result<std::vector<LockedWheel>> read_pylock(std::string_view toml, const std::string& file,
                                             const std::string& python, const std::string& glibc,
                                             const std::string& architecture) {
  TK_TRY(auto document, document::Document::parse(toml, file, ErrorCode::lock_invalid));
  auto root = document.root();
  std::vector<LockedWheel> wheels;
  for (auto& package : root.tables("packages")) {
    const auto name = package.required_text("name");
    const auto version = package.text("version");
    LockedWheel best;
    int best_fit = 0;
    for (auto& entry : package.tables("wheels")) {
      LockedWheel one;
      one.name = wheel::normalized_name(name.value);
      one.version = version ? version->value : "";
      one.url = base::without_credentials(entry.required_text("url").value);
      one.file_name = url_file_name(one.url);
      if (const auto stated = entry.text("name")) one.file_name = stated->value;
      if (const auto size = entry.integer("size"))
        one.size_bytes = static_cast<std::uint64_t>(std::max<std::int64_t>(0, size->value));
      if (const auto time = entry.time("upload-time")) one.uploaded_s = base::parse_time(time->value).value_or(0);
      if (auto hashes = entry.table("hashes"))
        if (const auto sha256 =
                hashes->parsed("sha256", [](std::string_view text) { return base::Digest::parse(text); }))
          one.digest = sha256->value;
      const int fit = wheel_fit(one.file_name, python, glibc, architecture);
      if (fit > best_fit) {
        best_fit = fit;
        best = std::move(one);
      }
    }
    TK_CHECK(document.check());
    if (best_fit == 0)
      return base::fail_at(
          ErrorCode::package_conflict, package.place(),
          fmt::format("{} has no wheel for Python {} on {} with glibc {}", name.value, python, architecture, glibc),
          {"torchkiln installs wheels only: choose a version that has one"});
    if (best.digest.is_none())
      return base::fail_at(ErrorCode::integrity_failed, package.place(),
                           best.file_name + " has no SHA-256 in its index",
                           {"use an index that states SHA-256 digests"});
    if (best.version.empty()) {
      TK_TRY(const auto parts, wheel::parse_wheel_name(best.file_name));
      best.version = parts.version;
    }
    wheels.push_back(std::move(best));
  }
  TK_CHECK(document.check());
  std::sort(wheels.begin(), wheels.end(),
            [](const LockedWheel& a, const LockedWheel& b) { return a.name < b.name; });
  return wheels;
}

std::string uv_platform(const std::string& architecture, const std::string& glibc) {
  constexpr std::array k_known = {40, 39, 38, 37, 36, 35, 34, 33, 32, 31, 28};
  const int minor = std::atoi(glibc.substr(glibc.find('.') + 1).c_str());
  for (const int known : k_known)
    if (known <= minor) return fmt::format("{}-manylinux_2_{}", architecture, known);
  return architecture + "-manylinux_2_17";
}

Result<PythonPins> pin_python(const PythonRequest& request) {
  TK_TRY(const auto folder, sys::TemporaryDirectory::create(request.work, "uv-"));
  const auto requirements = folder.path() / "requirements.in", constraints = folder.path() / "constraints.txt",
             output = folder.path() / "pylock.toml";
  TK_CHECK(sys::write_file(requirements, joined_lines(request.requirements)));
  TK_CHECK(sys::write_file(constraints, joined_lines(request.constraints)));
  // uv prefers what the output file pins already, so that locking again changes nothing by itself.
  if (!request.earlier_pylock.empty() && request.upgrade == Upgrade::keep)
    TK_CHECK(sys::write_file(output, request.earlier_pylock));

  sys::Command command;
  command.arguments = {
      request.uv.string(),
      "pip",
      "compile",
      requirements.string(),
      "--constraints",
      constraints.string(),
      "--format",
      "pylock.toml",
      "--output-file",
      output.string(),
      "--python-version",
      request.python,
      "--python-platform",
      uv_platform(request.architecture, request.glibc),
      "--only-binary",
      ":all:",
      "--no-header",
      "--no-annotate",
      "--quiet",
      "--cache-dir",
      request.cache.string()};
  auto& arguments = command.arguments;
  if (!request.build.empty()) arguments.insert(arguments.end(), {"--index-strategy", "unsafe-best-match"});
  for (const auto& package : request.upgrade_packages)
    arguments.insert(arguments.end(), {"--upgrade-package", package});
  if (request.network == sys::NetworkAccess::forbidden) arguments.emplace_back("--offline");
  auto environment = sys::current_environment();
  environment["UV_PYTHON_DOWNLOADS"] = "never";
  environment["NO_COLOR"] = "1";
  // The caller's interpreter and project must not leak into a lock.
  for (const char* variable :
       {"VIRTUAL_ENV", "CONDA_PREFIX", "UV_CONSTRAINT", "UV_OVERRIDE", "UV_EXCLUDE_NEWER_PACKAGE"})
    environment.erase(variable);
  set_indexes(request, environment);
  command.environment = std::move(environment);
  command.directory = folder.path();
  command.timeout_s = k_uv_timeout_s;
  TK_TRY(const auto done, sys::run(command));
  if (done.timed_out)
    return fail(ErrorCode::network_failed, fmt::format("uv did not answer within {:.0f} s", k_uv_timeout_s));
  if (done.exit_status != 0) return fail(uv_error(done, request));
  PythonPins pins;
  TK_TRY(pins.pylock, sys::read_file(output));
  TK_TRY(pins.wheels, read_pylock(pins.pylock, "pylock.toml", request.python, request.glibc, request.architecture));
  return pins;
}

}  // namespace torchkiln::lock
