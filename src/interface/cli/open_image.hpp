#pragma once
// IMAGE, wherever it is, as an image in a layout: what every command opens its images with.

#include "assembly/oci/layout.hpp"
#include "assembly/oci/reference.hpp"
#include "foundation/sys/files.hpp"
#include "interface/cli/session.hpp"

#include <optional>
#include <string>

namespace torchkiln::cli {

/// What a command needs of an image; what it does not need is not fetched.
enum class ImageContent {
  documents,         ///< manifest and configuration
  stamps,            ///< and what refers to the image
  layers_to_unpack,  ///< layers that are not unpacked yet
  everything
};

struct OpenedImage {
  oci::Layout layout;
  oci::Image image;
  oci::ImageReference reference;
  /// Where the layout is one for this run only: its blobs are the cache's.
  std::optional<sys::TemporaryDirectory> folder = std::nullopt;
};

/// A layout for this run, whose blobs are the cache's, so that nothing is fetched twice.
struct PassingLayout {
  sys::TemporaryDirectory folder;
  oci::Layout layout;
};
base::Result<PassingLayout> make_passing_layout(Session& session);

/// Whether what stands for an image names a lock instead: a file that is there, or a name that no image can have.
bool is_lock(const std::string& text);

/// Opens IMAGE: oci:DIR[:TAG], oci-archive:FILE[:TAG], docker:REF, podman:REF, or a registry's
/// HOST/REPO:TAG|@DIGEST. Of an image for several platforms this machine's.
base::Result<OpenedImage> open_image(const std::string& text, ImageContent content, Session& session);

}  // namespace torchkiln::cli
