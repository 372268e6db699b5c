#pragma once
// Who we are to a registry, as `docker login` and `podman login` left it: their configuration files and the
// credential helpers named there. What is found here goes into requests only, never into a message.

#include "foundation/base/error.hpp"
#include "foundation/document/json.hpp"

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::registry {

struct Credential {
  std::string user, password;
  std::string identity_token;  ///< stands for both at a token server (OAuth2's refresh token)
  bool operator==(const Credential&) const = default;
};

/// Reads JSON that holds secrets: an Error tells the place, and nothing of the text.
base::Result<document::JsonValue> parse_secrets(std::string_view bytes, const std::string& file);

/// What config.json or auth.json says.
struct CredentialFile {
  std::map<std::string, Credential> entries;   ///< by "HOST" or "HOST/REPOSITORY", without a scheme
  std::map<std::string, std::string> helpers;  ///< host → the X of docker-credential-X
  std::string store;                           ///< the helper of every other host; may be empty
};
/// Reads docker's config.json or podman's auth.json; what else is in them is ignored.
base::Result<CredentialFile> parse_credential_file(std::string_view bytes, const std::string& file);

/// The credentials on this machine.
class Credentials {
 public:
  /// In this order, as far as they exist: $REGISTRY_AUTH_FILE; $DOCKER_CONFIG/config.json;
  /// $XDG_RUNTIME_DIR/containers/auth.json; ~/.config/containers/auth.json; ~/.docker/config.json.
  static std::vector<std::filesystem::path> usual_files();

  explicit Credentials(std::vector<std::filesystem::path> files) : m_files(std::move(files)) {}

  /// The credential for a repository of `host` ("HOST[:PORT]"); nothing when there is none. The first file that
  /// knows the host counts, in it the entry with the longest matching path, then its helper.
  base::Result<std::optional<Credential>> find(const std::string& host, const std::string& repository) const;

 private:
  std::vector<std::filesystem::path> m_files;
};

}  // namespace torchkiln::registry
