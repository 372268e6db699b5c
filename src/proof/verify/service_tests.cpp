#include "proof/verify/service_tests.hpp"

#include "foundation/base/text.hpp"
#include "proof/verify/in_image.hpp"

#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace torchkiln::verify {

using base::Result;

namespace {

constexpr double k_service_timeout_s = 120;

struct Setting {
  const char* key;
  const char* value;
};

/// sshd_config(5), as `sshd -T` prints it: keys and only keys, nobody but the user, no way back through the client.
constexpr Setting k_sshd_settings[] = {
    {"port", "2222"},
    {"authenticationmethods", "publickey"},
    {"passwordauthentication", "no"},
    {"kbdinteractiveauthentication", "no"},
    {"permitemptypasswords", "no"},
    {"permitrootlogin", "no"},
    {"usepam", "no"},
    {"strictmodes", "yes"},
    {"permituserenvironment", "no"},
    {"allowagentforwarding", "no"},
    {"x11forwarding", "no"},
    {"permittunnel", "no"},
    {"gatewayports", "no"},
    {"allowtcpforwarding", "local"},
    {"allowstreamlocalforwarding", "no"},
    {"hostbasedauthentication", "no"},
    {"permituserrc", "no"},
    {"maxauthtries", "3"},
    {"logingracetime", "20"},
    {"maxstartups", "10:30:60"},
    {"clientaliveinterval", "60"},
};

/// Jupyter Server's options, as JSON: section, option, value.
struct JupyterSetting {
  const char* section;
  const char* option;
  bool value;
};
constexpr JupyterSetting k_jupyter_settings[] = {
    {"ServerApp", "allow_root", false},
    {"ServerApp", "allow_unauthenticated_access", false},
    {"ServerApp", "disable_check_xsrf", false},
    {"PasswordIdentityProvider", "allow_password_change", false},
};

struct Service {
  spec::Part part;
  const char* id;
  const char* script;  ///< prints the service's settings
  std::vector<std::string> (*faults)(std::string_view);
};
const Service k_services[] = {
    {spec::Part::ssh, "boot.sshd",
     "ssh-keygen -q -t ed25519 -N '' -f /tmp/host_key && "
     "/usr/sbin/sshd -T -f /etc/ssh/kiln_sshd_config -h /tmp/host_key",
     sshd_faults},
    {spec::Part::jupyter, "boot.jupyter", "jupyter-lab --show-config-json", jupyter_faults},
};

}  // namespace

std::vector<std::string> sshd_faults(std::string_view settings) {
  std::map<std::string, std::string, std::less<>> said;
  for (const auto line : base::lines(settings)) {
    const auto space = line.find(' ');
    if (space != std::string_view::npos) said.emplace(line.substr(0, space), base::trim(line.substr(space)));
  }
  std::vector<std::string> faults;
  for (const auto& [key, value] : k_sshd_settings) {
    const auto at = said.find(key);
    if (at == said.end())
      faults.push_back(fmt::format("sshd does not say {}", key));
    else if (at->second != value)
      faults.push_back(fmt::format("{} is {}, not {}", key, at->second, value));
  }
  return faults;
}

std::vector<std::string> jupyter_faults(std::string_view settings) {
  const auto json = nlohmann::json::parse(settings, nullptr, false);
  if (!json.is_object()) return {"JupyterLab does not tell its settings"};
  const auto find = [&](const char* section, const char* option) {
    const auto at = json.find(section);
    return at != json.end() && at->is_object() ? at->value(option, nlohmann::json()) : nlohmann::json();
  };
  std::vector<std::string> faults;
  for (const auto& [section, option, value] : k_jupyter_settings)
    if (const auto said = find(section, option); said != value)
      faults.push_back(fmt::format("{}.{} is {}, not {}", section, option, said.dump(), value));
  // Neither given at start: a token must have been made up.
  const auto token = find("IdentityProvider", "token"),
             password = find("PasswordIdentityProvider", "hashed_password");
  const auto is_set = [](const nlohmann::json& secret) {
    return secret.is_string() && !secret.get<std::string>().empty();
  };
  if (!is_set(token) && !is_set(password))
    faults.emplace_back("anybody may enter: there is neither token nor password");
  return faults;
}

Result<std::vector<report::TestOutcome>> run_service_tests(const RunInImage& run, const oci::ImageConfig& config,
                                                           spec::Variant variant, base::Step& step) {
  std::vector<report::TestOutcome> tests;
  for (const auto& service : k_services) {
    if (!variant.has(service.part)) continue;
    auto request = request_for(config, {"sh", "-c", service.script});
    request.timeout_s = k_service_timeout_s;
    TK_TRY(const auto outcome, run(request));
    std::vector<std::string> faults;
    if (outcome.exit_status != 0 || outcome.timed_out)
      faults.push_back(fmt::format("its settings cannot be read: {}", base::trim(outcome.errors.substr(0, 300))));
    else
      faults = service.faults(outcome.output);
    report::TestOutcome test;
    test.id = service.id;
    test.level = report::Level::boot;
    test.verdict = faults.empty() ? report::TestVerdict::pass : report::TestVerdict::fail;
    test.reason = base::join(faults, "; ");
    test.measured = faults.size();
    test.limit = 0;
    test.measures = "settings of the service that are too open";
    test.compare = "at most";
    test.duration_s = outcome.seconds;
    step.output(fmt::format("{:4}  {}", faults.empty() ? "pass" : "fail", test.id));
    tests.push_back(std::move(test));
  }
  return tests;
}

}  // namespace torchkiln::verify
