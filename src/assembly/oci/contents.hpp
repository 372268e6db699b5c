#pragma once
// What an image consists of, layer by layer, and what it costs to have one image where another is already.

#include "assembly/oci/layout.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace torchkiln::oci {

struct LayerContent {
  Descriptor descriptor;
  base::Digest diff_id;
  std::string made_by;  ///< from the history; empty where that does not say
};

struct Contents {
  Manifest manifest;
  ImageConfig config;
  std::vector<LayerContent> layers;   ///< lowest first
  std::uint64_t documents_bytes = 0;  ///< manifest and configuration
};

/// The image's documents, which have to agree about the number of layers.
base::Result<Contents> read_contents(const Layout& layout, const Image& image);

/// What a machine that has one image fetches to have another: layers are blobs with a digest, wherever they lie.
struct Difference {
  std::vector<LayerContent> shared;    ///< in the order of the second image
  std::vector<LayerContent> to_fetch;  ///< each once
  std::vector<LayerContent> left;      ///< of the first image only
  std::uint64_t shared_bytes = 0;
  std::uint64_t fetch_bytes = 0;
};
Difference compare(const std::vector<LayerContent>& has, const std::vector<LayerContent>& gets);

}  // namespace torchkiln::oci
