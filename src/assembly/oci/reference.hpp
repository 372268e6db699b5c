#pragma once
// How the command line names an image: oci:DIR[:TAG], oci-archive:FILE[:TAG], docker:REF, podman:REF, or a
// registry's HOST/REPO:TAG|@DIGEST.

#include "foundation/base/digest.hpp"
#include "foundation/base/error.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace torchkiln::oci {

/// oci:DIR[:TAG] or oci:DIR@sha256:HEX. As skopeo reads it, DIR ends at the first colon.
struct LayoutReference {
  std::filesystem::path directory;
  std::optional<std::string> image;  ///< a tag, a full name or a digest, for Layout::find_image()
  bool operator==(const LayoutReference&) const = default;
};

/// oci-archive:FILE[:TAG], a tar of a layout.
struct ArchiveReference {
  std::filesystem::path file;
  std::optional<std::string> image;
  bool operator==(const ArchiveReference&) const = default;
};

enum class Engine { docker, podman };

/// docker:REF or podman:REF, an image in that engine's own store.
struct EngineReference {
  Engine engine = Engine::docker;
  std::string name;
  bool operator==(const EngineReference&) const = default;
};

/// HOST[:PORT]/REPOSITORY with a tag, a digest or both, by the grammar of distribution's references.
struct RegistryReference {
  std::string host;
  std::string repository;
  std::optional<std::string> tag;
  std::optional<base::Digest> digest;
  bool operator==(const RegistryReference&) const = default;
};

using ImageReference = std::variant<LayoutReference, ArchiveReference, EngineReference, RegistryReference>;

/// Reads IMAGE; an Error (usage) that says which form the text is nearest to and what that form needs.
base::Result<ImageReference> parse_reference(std::string_view text);
/// Reads where to push to: HOST/REPOSITORY, with a tag or without.
base::Result<RegistryReference> parse_repository(std::string_view text);
/// The text that parses to it.
std::string to_string(const ImageReference& reference);

}  // namespace torchkiln::oci
