#include "assembly/registry/credentials.hpp"

#include "foundation/base/text.hpp"
#include "foundation/sys/environment.hpp"
#include "foundation/sys/files.hpp"
#include "foundation/sys/process.hpp"

#include <algorithm>

namespace torchkiln::registry {

using base::ErrorCode;
using base::fail;
using base::Result;
namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t k_file_limit_bytes = 4U << 20;
constexpr double k_helper_timeout_s = 30;
/// What docker calls its own registry in its configuration.
constexpr const char* k_docker_hub_key = "index.docker.io/v1";
/// A helper's answer with this user has an identity token for a secret (docker-credential-helpers).
constexpr const char* k_token_user = "<token>";

/// "https://host/v1/" and "host/" mean "host".
std::string without_scheme(std::string_view key) {
  for (const std::string_view scheme : {"https://", "http://"})
    if (key.starts_with(scheme)) key.remove_prefix(scheme.size());
  while (key.ends_with('/')) key.remove_suffix(1);
  if (key == k_docker_hub_key) return std::string(key);
  for (const std::string_view version : {"/v1", "/v2"})
    if (key.ends_with(version)) key.remove_suffix(version.size());
  return std::string(key);
}

Result<Credential> read_entry(const document::JsonValue& entry) {
  Credential credential;
  TK_TRY(credential.identity_token, entry.text_or_empty("identitytoken"));
  TK_TRY(credential.user, entry.text_or_empty("username"));
  TK_TRY(credential.password, entry.text_or_empty("password"));
  TK_TRY(const auto auth, entry.text_or_empty("auth"));
  if (auth.empty()) return credential;
  const auto pair = base::from_base64(auth);
  const auto colon = pair ? pair->find(':') : std::string::npos;
  if (colon == std::string::npos) return entry.wrong("has an auth that is not USER:PASSWORD in base64");
  credential.user = pair->substr(0, colon);
  credential.password = pair->substr(colon + 1);
  // docker once filled it up with zeros.
  while (credential.password.ends_with('\0')) credential.password.pop_back();
  return credential;
}

bool is_empty(const Credential& credential) {
  return credential.user.empty() && credential.password.empty() && credential.identity_token.empty();
}

/// docker-credential-helpers' protocol: the host goes in, a JSON object comes out.
Result<std::optional<Credential>> ask_helper(const std::string& name, const std::string& host) {
  const auto is_plain = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_'; };
  if (name.empty() || !std::all_of(name.begin(), name.end(), is_plain))
    return fail(ErrorCode::input_invalid, "'" + name + "' is no name of a credential helper");
  sys::Command command;
  command.arguments = {"docker-credential-" + name, "get"};
  command.input = host;
  command.timeout_s = k_helper_timeout_s;
  command.output_limit_bytes = k_file_limit_bytes;
  TK_TRY(const auto done, sys::run(command));
  if (done.timed_out) return fail(ErrorCode::tool_failed, command.arguments[0] + " did not answer within 30 s");
  // "credentials not found in native keychain": then we are nobody, as docker has it too. What it says is not
  // shown, since nobody knows what is in it.
  if (done.exit_status != 0) return std::optional<Credential>();
  TK_TRY(const auto answer, parse_secrets(done.output, command.arguments[0] + "'s answer"));
  Credential credential;
  TK_TRY(credential.user, answer.text_or_empty("Username"));
  TK_TRY(credential.password, answer.text_or_empty("Secret"));
  if (credential.user == k_token_user) credential = {"", "", credential.password};
  return is_empty(credential) ? std::optional<Credential>() : credential;
}

/// The entry for the repository, or for the folder nearest above it, or for the host.
const Credential* entry_for(const CredentialFile& file, const std::string& host, const std::string& repository) {
  for (auto key = host + "/" + repository;;) {
    const auto found = file.entries.find(key);
    if (found != file.entries.end() && !is_empty(found->second)) return &found->second;
    const auto slash = key.rfind('/');
    if (slash == std::string::npos) return nullptr;
    key.resize(slash);
  }
}

}  // namespace

Result<document::JsonValue> parse_secrets(std::string_view bytes, const std::string& file) {
  auto document = document::JsonValue::parse(bytes, file);
  if (!document) document.error().message = "is no JSON, or not JSON that is safe to read";
  return document;
}

Result<CredentialFile> parse_credential_file(std::string_view bytes, const std::string& file) {
  CredentialFile credentials;
  TK_TRY(const auto document, parse_secrets(bytes, file));
  TK_TRY(const auto auths, document.find("auths"));
  if (auths) {
    TK_TRY(const auto members, auths->members());
    for (const auto& [key, entry] : members) {
      TK_TRY(auto credential, read_entry(entry));
      credentials.entries.emplace(without_scheme(key), std::move(credential));
    }
  }
  TK_TRY(const auto helpers, document.text_map_or_empty("credHelpers"));
  for (const auto& [key, helper] : helpers) credentials.helpers.emplace(without_scheme(key), helper);
  TK_TRY(credentials.store, document.text_or_empty("credsStore"));
  return credentials;
}

std::vector<fs::path> Credentials::usual_files() {
  std::vector<fs::path> files;
  if (const auto file = sys::environment("REGISTRY_AUTH_FILE")) files.emplace_back(*file);
  if (const auto folder = sys::environment("DOCKER_CONFIG")) files.push_back(fs::path(*folder) / "config.json");
  if (const auto folder = sys::environment("XDG_RUNTIME_DIR"))
    files.push_back(fs::path(*folder) / "containers/auth.json");
  files.push_back(sys::home_directory() / ".config/containers/auth.json");
  files.push_back(sys::home_directory() / ".docker/config.json");
  return files;
}

Result<std::optional<Credential>> Credentials::find(const std::string& host, const std::string& repository) const {
  const std::string key = host == "docker.io" ? k_docker_hub_key : host;
  for (const auto& path : m_files) {
    if (!sys::size_of_file(path)) continue;
    TK_TRY(const auto bytes, sys::read_file(path, k_file_limit_bytes));
    TK_TRY(const auto file, parse_credential_file(bytes, path.string()));
    // The store knows docker's own registry by the address that `docker login` gives it.
    const std::string name = host == "docker.io" ? "https://index.docker.io/v1/" : host;
    std::optional<Credential> credential;
    if (const auto named = file.helpers.find(key); named != file.helpers.end()) {
      TK_TRY(credential, ask_helper(named->second, name));
    } else if (const auto* entry = entry_for(file, key, repository)) {
      credential = *entry;
    } else if (!file.store.empty()) {
      TK_TRY(credential, ask_helper(file.store, name));
    }
    if (credential) return credential;
  }
  return std::optional<Credential>();
}

}  // namespace torchkiln::registry
