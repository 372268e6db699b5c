#include "plan/lock/index.hpp"

#include "foundation/base/text.hpp"
#include "foundation/sys/environment.hpp"
#include "foundation/sys/files.hpp"
#include "foundation/sys/process.hpp"

#include <map>
#include <set>

namespace torchkiln::lock {

using base::Result;
namespace fs = std::filesystem;

namespace {

constexpr double k_apt_timeout_s = 60;
constexpr std::string_view k_debian_keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// The [global] and [install] settings of one pip.conf; [install] wins. Values may go on over indented lines.
void read_pip_conf(const fs::path& path, std::map<std::string, std::string>& settings) {
  const auto text = sys::read_file(path);
  if (!text) return;
  std::map<std::string, std::map<std::string, std::string>> sections;
  std::string section, key;
  for (const auto line : base::lines(*text)) {
    const auto trimmed = base::trim(line);
    if (trimmed.empty() || trimmed.front() == '#' || trimmed.front() == ';') continue;
    if (trimmed.front() == '[') {
      section = trimmed.substr(1, trimmed.find(']') - 1);
      key.clear();
    } else if (line.front() == ' ' || line.front() == '\t') {
      if (!key.empty()) sections[section][key] += " " + std::string(trimmed);
    } else if (const auto at = trimmed.find_first_of("=:"); at != std::string_view::npos) {
      key = base::replace_all(base::lower(base::trim(trimmed.substr(0, at))), "_", "-");
      sections[section][key] = base::trim(trimmed.substr(at + 1));
    }
  }
  for (const char* name : {"global", "install"})
    for (const auto& [setting, value] : sections[name]) settings[setting] = value;
}

bool uv_is_configured() {
  for (const char* variable :
       {"UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX", "UV_CONFIG_FILE", "UV_EXTRA_INDEX_URL", "UV_NO_INDEX"})
    if (sys::environment(variable)) return true;
  const auto configuration =
      sys::environment("XDG_CONFIG_HOME").value_or((sys::home_directory() / ".config").string());
  std::error_code error;
  return fs::exists(fs::path(configuration) / "uv/uv.toml", error) || fs::exists("/etc/uv/uv.toml", error);
}

}  // namespace

Result<PythonIndexes> python_indexes(PythonIndexes wished) {
  if (!wished.index.empty() || uv_is_configured()) return wished;
  std::map<std::string, std::string> settings;
  if (const auto file = sys::environment("PIP_CONFIG_FILE")) {
    read_pip_conf(*file, settings);
  } else {
    const auto configuration =
        sys::environment("XDG_CONFIG_HOME").value_or((sys::home_directory() / ".config").string());
    read_pip_conf("/etc/pip.conf", settings);
    read_pip_conf(sys::home_directory() / ".pip/pip.conf", settings);
    read_pip_conf(fs::path(configuration) / "pip/pip.conf", settings);
  }
  if (const auto url = sys::environment("PIP_INDEX_URL")) settings["index-url"] = *url;
  if (const auto urls = sys::environment("PIP_EXTRA_INDEX_URL")) settings["extra-index-url"] = *urls;
  wished.index = settings["index-url"];
  for (const auto url : base::split(settings["extra-index-url"], ' '))
    if (!base::trim(url).empty()) wished.extra.emplace_back(base::trim(url));
  return wished;
}

Result<std::vector<AptSource>> apt_sources(const std::string& suite, const std::vector<std::string>& mirrors) {
  std::error_code error;
  const std::string signed_by =
      fs::exists(k_debian_keyring, error) ? "[signed-by=" + std::string(k_debian_keyring) + "] " : "";
  std::vector<AptSource> sources;
  for (const auto& mirror : mirrors) {
    if (mirror.starts_with("deb "))
      sources.push_back({mirror});
    else if (mirror.find("://") != std::string::npos)
      sources.push_back({"deb " + signed_by + mirror + " " + suite + " main"});
    else
      return base::fail(base::ErrorCode::usage,
                        "--mirror '" + mirror + "' is neither an address nor a 'deb …' line",
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
    if (parts.size() != 3 || parts[2] != "main") continue;
    if (parts[1] != suite && parts[1] != suite + "-updates" && parts[1] != suite + "-security") continue;
    const std::string text = "deb " + signed_by + std::string(parts[0]) + " " + std::string(parts[1]) + " main";
    if (seen.insert(text).second) sources.push_back({text});
  }
  if (sources.empty())
    return base::fail(base::ErrorCode::network_failed, "this machine's apt has no source for " + suite,
                      {"name one: --mirror http://mirror.example/debian"});
  return sources;
}

}  // namespace torchkiln::lock
