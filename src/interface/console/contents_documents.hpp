#pragma once
// What an image consists of, and what differs between two, as text and as JSON.

#include "assembly/oci/contents.hpp"
#include "interface/console/terminal.hpp"

#include <string>
#include <vector>

namespace torchkiln::console {

struct Inspection {
  std::string reference;  ///< as it was asked for
  oci::Image image;
  oci::Contents contents;
  std::vector<oci::Descriptor> referrers;
};
std::string inspection_text(const Inspection& inspection, const Paint& paint);
/// torchkiln.inspect/1.
std::string inspection_json(const Inspection& inspection);

/// One side of a comparison. Of a lock only the wheels' layers are known.
struct ComparedImage {
  std::string reference;
  std::vector<oci::LayerContent> layers;
  std::uint64_t documents_bytes = 0;
  bool is_lock = false;
};
struct Comparison {
  ComparedImage has, gets;
  oci::Difference difference;
  /// Layers and documents together.
  std::uint64_t bytes_to_pull() const;
};
std::string comparison_text(const Comparison& comparison, const Paint& paint);
/// torchkiln.diff/1.
std::string comparison_json(const Comparison& comparison);

}  // namespace torchkiln::console
