#pragma once
// One repository of a registry: its manifests, blobs and referrers (distribution-spec v1.1). Whatever it answers is
// checked: digests are computed from the bytes, sizes are counted.

#include "assembly/oci/descriptor.hpp"
#include "assembly/oci/manifest.hpp"
#include "assembly/registry/registry.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace torchkiln::registry {

/// A manifest or an index, byte for byte as the registry has it.
struct Document {
  std::string bytes;
  std::string media_type;
  base::Digest digest;
  std::string etag;  ///< names this version of a tag, where the registry has such; empty otherwise

  oci::Descriptor descriptor() const { return {media_type, digest, bytes.size()}; }
};

/// How a blob came to be in a repository.
enum class Arrival { present, mounted, uploaded };

/// Whether a registry keeps track of referrers by itself, or leaves that to a tag (distribution-spec, "Referrers
/// Tag Schema").
enum class Referring { by_registry, by_tag };

/// Told how many bytes were sent or came since it was last called, from any thread.
using OnBytes = std::function<void(std::uint64_t)>;

class Repository {
 public:
  /// `registry` has to outlive this.
  Repository(const Registry& registry, std::string name);

  const Registry& registry() const { return m_registry; }
  const std::string& name() const { return m_name; }
  /// "HOST/REPOSITORY".
  std::string to_string() const { return m_registry.host() + "/" + m_name; }

  /// What a tag or digest names; nothing when it names nothing.
  base::Result<std::optional<Document>> fetch(const std::string& tag_or_digest) const;
  /// Stores a manifest under a tag or its own digest. With an etag only as long as that is what the tag has;
  /// nothing when it has something else by now.
  base::Result<std::optional<Referring>> store(const Document& document, const std::string& tag_or_digest) const;

  base::Result<bool> has_blob(const oci::Descriptor& blob) const;
  /// Has the blob here: as it is, out of another repository of the registry (`from`, tried in order), or from the
  /// file. Uploads that break are gone on with.
  base::Result<Arrival> push_blob(const oci::Descriptor& blob, const std::filesystem::path& file,
                                  const std::vector<std::string>& from, const OnBytes& on_bytes) const;
  /// Has the blob at `destination`, going on with what an earlier attempt left there.
  base::Result<void> pull_blob(const oci::Descriptor& blob, const std::filesystem::path& destination,
                               const OnBytes& on_bytes) const;

  /// What the registry says refers to the digest; nothing of it is checked yet.
  base::Result<std::vector<oci::Descriptor>> referrers(const base::Digest& digest) const;
  /// Adds to the tag that lists referrers where the registry does not keep track of them, beside what others add.
  base::Result<void> list_referrer(const base::Digest& subject, const oci::Descriptor& referrer) const;

 private:
  Call call(std::string method, const std::string& path) const;
  Call push_call(std::string method, std::string address) const;

  const Registry& m_registry;
  std::string m_name;
};

}  // namespace torchkiln::registry
