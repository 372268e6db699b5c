#pragma once
// An OCI image layout: a folder with blobs named by their digest and an index.json that names the images
// (image-spec v1.1, image-layout.md). skopeo, umoci, podman and buildah read it as "oci:DIR:TAG"; a manifest.json
// beside it lets `docker load` take a tar of the folder.
//
// Writers of one layout take turns by a lock in the folder; index.json changes atomically and last, so that a
// reader never sees an image that is not whole.

#include "assembly/oci/descriptor.hpp"
#include "assembly/oci/image_config.hpp"
#include "assembly/oci/manifest.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::oci {

/// One image that index.json names.
struct Image {
  Descriptor descriptor;  ///< of its manifest
  std::string tag;        ///< org.opencontainers.image.ref.name; may be empty
  std::string name;       ///< io.containerd.image.name, "team/pytorch:2.8.0-cu128"; may be empty
};

/// What put_image() makes an image of. The layers' blobs are in the layout already, lowest first.
struct ImageParts {
  ImageConfig config;
  std::vector<Descriptor> layers;
  /// Layers that the layout may lack, since they are where the image goes next (image-layout.md: "Blobs MAY be
  /// missing").
  std::set<base::Digest> elsewhere = {};
  std::string tag;               ///< what the image is called inside the layout
  std::string name = {};         ///< "team/pytorch:2.8.0-cu128", for `docker load`; may be empty
  Annotations annotations = {};  ///< of the manifest
};

/// Whether bytes that carry a digest already are hashed once more.
enum class Trust { digest_as_given, hash_again };
/// How far check() looks: sizes and documents only, or every byte of every blob too.
enum class CheckDepth { sizes, every_byte };

/// One thing that is wrong with a layout.
struct LayoutFault {
  std::filesystem::path file;
  std::string what;
};

struct Referrers {
  std::vector<Descriptor> found;  ///< with artifact type and annotations, as a registry's API answers
  std::vector<LayoutFault> unreadable;
};

struct Pruned {
  std::size_t files = 0;
  std::uint64_t size_bytes = 0;
};

class Layout {
 public:
  /// An existing layout.
  static base::Result<Layout> open(const std::filesystem::path& directory);
  /// The layout in `directory`, made if the folder is missing or empty. Another kind of folder is refused.
  static base::Result<Layout> create(const std::filesystem::path& directory);

  const std::filesystem::path& directory() const { return m_directory; }
  std::filesystem::path blob_path(const base::Digest& digest) const;
  bool contains(const base::Digest& digest) const;

  /// Puts the file in as a blob, by a hard link where that is possible. With Trust::hash_again an Error
  /// (integrity_failed) when its bytes have another digest.
  base::Result<Descriptor> add_file(const std::filesystem::path& file, const base::Digest& digest,
                                    std::string_view media_type, Trust trust) const;
  base::Result<Descriptor> add_bytes(std::string_view bytes, std::string_view media_type) const;

  /// Writes configuration and manifest and names the image in index.json, in place of one of the same tag. The
  /// manifest's descriptor. Checks the configuration, and that every layer is there with its size.
  base::Result<Descriptor> put_image(const ImageParts& parts) const;
  /// Writes a manifest that has a subject and lists it in index.json.
  base::Result<Descriptor> put_referrer(const Manifest& manifest) const;
  /// Names a manifest or an index that is in the layout already, in place of what had the tag. Checks that its
  /// blobs are there, but for those that are `elsewhere`. `image.descriptor` may carry the platform.
  base::Result<void> name_image(const Image& image, const std::set<base::Digest>& elsewhere = {}) const;
  /// Lists a manifest that has a subject and is in the layout already, byte for byte as somebody else wrote it.
  base::Result<void> list_referrer(const Descriptor& descriptor) const;
  /// Adds annotations to the entries of index.json that point at `digest`; the image itself does not change.
  base::Result<void> annotate_image(const base::Digest& digest, const Annotations& annotations) const;

  /// The images that index.json names, in its order; artifacts are left out.
  base::Result<std::vector<Image>> images() const;
  /// The image with this tag, full name or "sha256:..." digest; without a reference, the only one.
  base::Result<Image> find_image(const std::optional<std::string>& reference) const;
  /// What lists `digest` as its subject.
  base::Result<Referrers> referrers(const base::Digest& digest) const;

  /// A document's bytes, with size and digest checked; at most document::JsonLimits::size_bytes.
  base::Result<std::string> read_blob(const Descriptor& descriptor) const;
  base::Result<Manifest> read_manifest(const Descriptor& descriptor) const;
  base::Result<Index> read_index(const Descriptor& descriptor) const;
  base::Result<ImageConfig> read_config(const Manifest& manifest) const;

  /// Everything that is wrong with the image; empty when nothing is. `on_bytes` is told how many bytes were read
  /// since its last call, from any thread.
  base::Result<std::vector<LayoutFault>> check(const Image& image, CheckDepth depth,
                                               const std::function<void(std::uint64_t)>& on_bytes) const;

  /// Removes artifacts whose image is gone, blobs that nothing in index.json leads to, and what interrupted writers
  /// left. Nobody else may be adding to the layout meanwhile.
  base::Result<Pruned> prune() const;

 private:
  explicit Layout(std::filesystem::path directory) : m_directory(std::move(directory)) {}
  std::filesystem::path m_directory;
};

}  // namespace torchkiln::oci
