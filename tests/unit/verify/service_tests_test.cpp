#include "proof/verify/service_tests.hpp"

#include "foundation/base/text.hpp"

#include <catch2/catch.hpp>

using namespace torchkiln::verify;
using torchkiln::base::replace_all;
using Texts = std::vector<std::string>;

namespace {

/// What OpenSSH 9.2's `sshd -T` prints of images/ssh/root/etc/ssh/kiln_sshd_config, as far as it matters.
const std::string k_sshd = R"(port 2222
addressfamily any
usepam no
permitrootlogin no
passwordauthentication no
kbdinteractiveauthentication no
x11forwarding no
strictmodes yes
permitemptypasswords no
allowagentforwarding no
gatewayports no
permituserenvironment no
permittunnel no
authenticationmethods publickey
allowtcpforwarding local
allowstreamlocalforwarding no
hostbasedauthentication no
permituserrc no
maxauthtries 3
logingracetime 20
maxstartups 10:30:60
clientaliveinterval 60
)";

const std::string k_jupyter =
    R"({"ServerApp": {"ip": "0.0.0.0", "allow_root": false, "allow_unauthenticated_access": false,
"disable_check_xsrf": false}, "PasswordIdentityProvider": {"allow_password_change": false},
"IdentityProvider": {"token": "0123"}})";

}  // namespace

TEST_CASE("an sshd that takes keys only has no fault; each way in beside them is one") {
  CHECK(sshd_faults(k_sshd).empty());
  CHECK(sshd_faults(replace_all(k_sshd, "passwordauthentication no", "passwordauthentication yes")) ==
        Texts{"passwordauthentication is yes, not no"});
  CHECK(sshd_faults(replace_all(k_sshd, "permitrootlogin no", "permitrootlogin without-password")) ==
        Texts{"permitrootlogin is without-password, not no"});
  CHECK(sshd_faults(replace_all(k_sshd, "authenticationmethods publickey\n", "")) ==
        Texts{"sshd does not say authenticationmethods"});
  CHECK(sshd_faults("").size() == 21);
}

TEST_CASE("a JupyterLab with a secret and its guards has no fault; what opens it is one") {
  CHECK(jupyter_faults(k_jupyter).empty());
  CHECK(jupyter_faults(replace_all(k_jupyter, "\"0123\"", "\"\"")) ==
        Texts{"anybody may enter: there is neither token nor password"});
  CHECK(jupyter_faults(replace_all(k_jupyter, "\"disable_check_xsrf\": false", "\"disable_check_xsrf\": true")) ==
        Texts{"ServerApp.disable_check_xsrf is true, not false"});
  CHECK(jupyter_faults(replace_all(k_jupyter, "\"allow_root\": false, ", "")) ==
        Texts{"ServerApp.allow_root is null, not false"});
  CHECK(jupyter_faults("Traceback") == Texts{"JupyterLab does not tell its settings"});
  CHECK(jupyter_faults("{}").size() == 5);
}
