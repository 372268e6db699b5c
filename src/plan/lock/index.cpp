#include "plan/lock/index.hpp"

#include "foundation/base/text.hpp"
#include "foundation/sys/environment.hpp"
#include "foundation/sys/files.hpp"
#include "foundation/sys/process.hpp"

#include <algorithm>
#include <map>
#include <set>

namespace torchkiln::lock {

using base::Result;
namespace fs = std::filesystem;

namespace {

constexpr double k_apt_timeout_s = 60;
constexpr std::string_view k_debian_keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// The [global] and the [install] settings of all of pip's files; a later file wins, and [install] over [global]
/// wherever they stand.
struct PipSettings {
  std::map<std::string, std::map<std::string, std::string>> sections;

  std::string value(const std::string& key) {
    const auto& install = sections["install"];
    const auto found = install.find(key);
    return found != install.end() ? found->second : sections["global"][key];
  }
};

/// Adds one pip.conf. Values may go on over indented lines.
void read_pip_conf(const fs::path& path, PipSettings& settings) {
  const auto text = sys::read_file(path);
  if (!text) return;
  std::string section, key;
  for (const auto line : base::lines(*text)) {
    const auto trimmed = base::trim(line);
    if (trimmed.empty() || trimmed.front() == '#' || trimmed.front() == ';') continue;
    if (trimmed.front() == '[') {
      section = trimmed.substr(1, trimmed.find(']') - 1);
      key.clear();
    } else if (line.front() == ' ' || line.front() == '\t') {
      if (!key.empty()) settings.sections[section][key] += " " + std::string(trimmed);
    } else if (const auto at = trimmed.find_first_of("=:"); at != std::string_view::npos) {
      key = base::replace_all(base::lower(base::trim(trimmed.substr(0, at))), "_", "-");
      settings.sections[section][key] = base::trim(trimmed.substr(at + 1));
    }
  }
}

fs::path user_configuration() {
  return sys::environment("XDG_CONFIG_HOME").value_or((sys::home_directory() / ".config").string());
}

/// pip's files in the order that pip reads them: of the machine, of the user, and the one that PIP_CONFIG_FILE
/// names, which stands for the user's. "/dev/null" there means none at all.
std::vector<fs::path> pip_files() {
  const auto named = sys::environment("PIP_CONFIG_FILE");
  if (named == "/dev/null") return {};
  std::vector<fs::path> files;
  const auto machine = sys::environment("XDG_CONFIG_DIRS").value_or("/etc/xdg");
  for (const auto folder : base::split(machine, ':')) files.push_back(fs::path(folder) / "pip/pip.conf");
  files.emplace_back("/etc/pip.conf");
  std::error_code error;
  if (named && fs::exists(*named, error)) {
    files.emplace_back(*named);
  } else {
    files.push_back(sys::home_directory() / ".pip/pip.conf");
    files.push_back(user_configuration() / "pip/pip.conf");
  }
  return files;
}

/// Whether a uv.toml says where packages come from; it may be there for other reasons.
bool names_index(const fs::path& uv_toml) {
  const auto text = sys::read_file(uv_toml);
  return text && (text->find("index") != std::string::npos || text->find("find-links") != std::string::npos);
}

bool uv_is_configured() {
  for (const char* variable : {"UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_NO_INDEX"})
    if (sys::environment(variable)) return true;
  if (const auto file = sys::environment("UV_CONFIG_FILE")) return names_index(*file);
  return names_index(user_configuration() / "uv/uv.toml") || names_index("/etc/uv/uv.toml");
}

/// The addresses in a value that may hold several.
std::vector<std::string> addresses(std::string_view value) {
  std::vector<std::string> found;
  for (auto rest = base::trim(value); !rest.empty();) {
    const auto end = std::min(rest.find_first_of(" \t\n"), rest.size());
    found.emplace_back(rest.substr(0, end));
    rest = base::trim(rest.substr(end));
  }
  return found;
}

}  // namespace

std::string torch_index(std::string wished) {
  if (wished.empty()) wished = sys::environment(k_torch_index_variable).value_or("");
  while (wished.ends_with('/')) wished.pop_back();
  return wished;
}

Result<PythonIndexes> python_indexes(PythonIndexes wished) {
  if (!wished.index.empty() || uv_is_configured()) return wished;
  PipSettings settings;
  for (const auto& file : pip_files()) read_pip_conf(file, settings);
  const auto value = [&](const char* variable, const char* key) {
    const auto set = sys::environment(variable);
    return set ? *set : settings.value(key);
  };
  wished.index = base::trim(value("PIP_INDEX_URL", "index-url"));
  for (auto& address : addresses(value("PIP_EXTRA_INDEX_URL", "extra-index-url")))
    wished.extra.push_back(std::move(address));
  return wished;
}

Result<std::vector<AptSource>> apt_sources(const std::string& suite, const std::vector<std::string>& mirrors,
                                           const std::string& distribution) {
  std::error_code error;
  const std::string components = distribution == "ubuntu" ? " main universe" : " main";
  const std::string signed_by = distribution == "debian" && fs::exists(k_debian_keyring, error)
                                    ? "[signed-by=" + std::string(k_debian_keyring) + "] "
                                    : "";
  std::vector<AptSource> sources;
  for (const auto& mirror : mirrors) {
    const bool one_line = mirror.find_first_of("\r\n") == std::string::npos;
    if (one_line && mirror.starts_with("deb "))
      sources.push_back({mirror});
    else if (one_line && mirror.find(' ') == std::string::npos && mirror.find("://") != std::string::npos)
      sources.push_back({"deb " + signed_by + mirror + " " + suite + components});
    else
      return base::fail(
          base::ErrorCode::usage,
          "--mirror '" + base::without_credentials(mirror) + "' is neither an address nor a 'deb …' line",
          {"for example --mirror http://mirror.example/debian"});
  }
  if (!sources.empty()) return sources;

  // apt tells its own configuration in one form, whatever files and formats it came from.
  sys::Command command;
  command.arguments = {"apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)",
                       "Created-By: Packages"};
  command.timeout_s = k_apt_timeout_s;
  TK_TRY(const auto listed, sys::run_checked(command));
  std::set<std::string> seen;
  for (const auto line : base::lines(listed.output)) {
    const auto parts = base::split(line, ' ');
    if (parts.size() != 3 || components.find(parts[2]) == std::string::npos) continue;
    if (parts[1] != suite && parts[1] != suite + "-updates" && parts[1] != suite + "-security") continue;
    const std::string text =
        "deb " + signed_by + std::string(parts[0]) + " " + std::string(parts[1]) + " " + std::string(parts[2]);
    if (seen.insert(text).second) sources.push_back({text});
  }
  if (sources.empty())
    return base::fail(base::ErrorCode::network_failed, "this machine's apt has no source for " + suite,
                      {"name one: --mirror http://mirror.example/debian"});
  return sources;
}

}  // namespace torchkiln::lock
