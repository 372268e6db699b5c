#pragma once
// The folder of unpacked layers. Each layer is unpacked once, into a folder named by its diff_id, in the shape that
// overlayfs takes as a lower directory: files have the owners, modes and times of the tar, OCI whiteouts are
// overlayfs whiteouts. An ordinary user's files are owned through the user's subordinate ids, so the work happens
// in a user namespace, in a second program (see inner.hpp), and so does removal.

#include "assembly/oci/layout.hpp"
#include "foundation/base/digest.hpp"
#include "foundation/base/progress.hpp"
#include "foundation/sys/files.hpp"

#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace torchkiln::runtime {

/// One layer of an image, as a file.
struct Layer {
  std::filesystem::path blob;
  std::string media_type;  ///< OCI image-spec layer.md: tar, tar+gzip or tar+zstd; docker's names for the same
  base::Digest diff_id;    ///< SHA-256 of the uncompressed tar
};

/// The layers of an image in a layout, lowest first. input_invalid when its documents disagree about their number.
base::Result<std::vector<Layer>> layers_of(const oci::Layout& layout, const oci::Manifest& manifest,
                                           const oci::ImageConfig& config);

class UnpackStore {
 public:
  /// The store in `root`. `self_program` is a program whose hidden `__runtime` subcommand is inner_main(): ours.
  UnpackStore(std::filesystem::path root, std::filesystem::path self_program)
      : m_root(std::move(root)), m_self_program(std::move(self_program)) {}

  /// Where the layer is, or will be, unpacked. The folder exists only when it is whole.
  std::filesystem::path path(const base::Digest& diff_id) const { return entry(diff_id) / "tree"; }
  bool contains(const base::Digest& diff_id) const;

  /// The folders of the layers, in the given order. What is not there yet is unpacked, `parallel` layers at a time.
  /// Bytes that are not the diff_id's: integrity_failed. A tar that reaches out of its folder, or is malformed:
  /// input_invalid. In both cases, and when interrupted, nothing is left of that layer.
  base::Result<std::vector<std::filesystem::path>> unpack_all(std::span<const Layer> layers, unsigned parallel,
                                                              base::Progress& progress) const;
  base::Result<std::filesystem::path> unpack(const Layer& layer) const;

  /// All layers that are there.
  base::Result<std::vector<base::Digest>> list() const { return sys::list_digests(m_root / "sha256"); }
  /// When unpack() or unpack_all() last gave the layer, in seconds since 1970.
  base::Result<std::int64_t> last_used_s(const base::Digest& diff_id) const;
  /// Removes one layer; nothing happens when it is not there.
  base::Result<void> remove(const base::Digest& diff_id) const;

 private:
  /// Holds the layer's folder, whose own owner and mode may keep us from moving it.
  std::filesystem::path entry(const base::Digest& diff_id) const { return m_root / "sha256" / diff_id.hex(); }
  /// Notes that the layer is being used. A note that cannot be made costs no more than unpacking it again one day.
  void note_use(const base::Digest& diff_id) const;
  base::Result<std::filesystem::path> unpack_with(const Layer& layer,
                                                  const std::function<void(std::uint64_t)>& on_bytes) const;

  std::filesystem::path m_root;
  std::filesystem::path m_self_program;
};

}  // namespace torchkiln::runtime
