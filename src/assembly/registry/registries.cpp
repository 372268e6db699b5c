#include "assembly/registry/registries.hpp"

namespace torchkiln::registry {

using base::Result;

Result<const Registry*> Registries::registry(const std::string& address) {
  auto& known = m_registries[address];
  if (!known) {
    TK_TRY(known, Registry::connect(address, m_access, m_http, m_credentials));
  }
  return known.get();
}

Result<Repository> Registries::repository(const oci::RegistryReference& reference) {
  TK_TRY(const auto* own, registry(reference.host));
  return Repository(*own, reference.repository);
}

Result<std::vector<Repository>> Registries::sources(const oci::RegistryReference& reference,
                                                    base::Progress& progress) {
  std::vector<Repository> sources;
  for (auto [at, end] = m_access.mirrors.equal_range(reference.host); at != end; ++at) {
    const auto mirror = registry(at->second);
    if (mirror)
      sources.emplace_back(**mirror, reference.repository);
    else if (mirror.error().code == base::ErrorCode::network_failed)
      progress.warn("the mirror is left out: " + mirror.error().message);
    else
      return base::fail(mirror.error());
  }
  auto own = repository(reference);
  // A mirror may be all that can be reached from here.
  if (own)
    sources.push_back(std::move(*own));
  else if (sources.empty() || own.error().code != base::ErrorCode::network_failed)
    return base::fail(std::move(own).error());
  return sources;
}

}  // namespace torchkiln::registry
