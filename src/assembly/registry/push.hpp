#pragma once
// An image out of a layout into a repository: its blobs, the manifest under a tag, and what refers to it.

#include "assembly/oci/layout.hpp"
#include "assembly/registry/repository.hpp"
#include "foundation/base/progress.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace torchkiln::registry {

/// What moved, and what did not have to.
struct Moved {
  std::size_t blobs = 0;
  std::uint64_t size_bytes = 0;
};

struct Pushed {
  std::string reference;  ///< "HOST/REPOSITORY:TAG"
  base::Digest digest;
  Moved uploaded, mounted, present;
  std::vector<oci::Descriptor> referrers;
};

/// Pushes the image, a manifest or an index with all that it leads to, under `tag`. `from` are repositories of the
/// same registry that may have blobs of it already.
base::Result<Pushed> push(const oci::Layout& layout, const oci::Image& image, const Repository& repository,
                          const std::string& tag, const std::vector<std::string>& from, base::Progress& progress);

/// An image in its layout.
struct IndexedImage {
  const oci::Layout* layout;
  const oci::Image* image;
};
/// Pushes images for several platforms, or several variants of a family, and under `tag` an index of them in their
/// order: who knows nothing of variants takes the first. Entries are annotated with the image's variant and
/// version. Two for one platform and variant are refused.
base::Result<Pushed> push_index(const std::vector<IndexedImage>& images, const Repository& repository,
                                const std::string& tag, const std::vector<std::string>& from,
                                base::Progress& progress);

/// Pushes what the layout lists as referring to `subject`, which the repository has.
base::Result<std::vector<oci::Descriptor>> push_referrers(const oci::Layout& layout, const base::Digest& subject,
                                                          const Repository& repository,
                                                          const std::vector<std::string>& from);

}  // namespace torchkiln::registry
