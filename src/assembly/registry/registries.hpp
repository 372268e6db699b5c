#pragma once
// All registries that a run of the program speaks to: each is connected to once.

#include "assembly/oci/reference.hpp"
#include "assembly/registry/repository.hpp"
#include "foundation/base/progress.hpp"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace torchkiln::registry {

class Registries {
 public:
  explicit Registries(Access access)
      : m_access(std::move(access)), m_http(m_access.limits), m_credentials(m_access.credential_files) {}

  /// The reference's repository in its own registry.
  base::Result<Repository> repository(const oci::RegistryReference& reference);
  /// Where its image can be pulled from: mirrors that answer, then its own registry.
  base::Result<std::vector<Repository>> sources(const oci::RegistryReference& reference, base::Progress& progress);

 private:
  base::Result<const Registry*> registry(const std::string& address);

  Access m_access;
  sys::HttpExchanger m_http;
  Credentials m_credentials;
  std::map<std::string, std::unique_ptr<Registry>> m_registries;  ///< by address
};

}  // namespace torchkiln::registry
