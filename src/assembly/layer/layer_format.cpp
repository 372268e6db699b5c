#include "assembly/layer/layer_format.hpp"

#include "assembly/layer/convert_layer.hpp"
#include "assembly/layer/zstd_writer.hpp"

#include <fmt/format.h>

namespace torchkiln::layer {

std::string_view name(LayerFormat format) {
  switch (format) {
    case LayerFormat::gzip:
      return "gzip";
    case LayerFormat::gzip_single_member:
      return "single-member";
    case LayerFormat::zstd:
      return "zstd";
    case LayerFormat::raw:
      return "raw";
    case LayerFormat::estargz:
      return "estargz";
  }
  return "";
}

std::string_view media_type(LayerFormat format) {
  switch (format) {
    case LayerFormat::zstd:
      return "application/vnd.oci.image.layer.v1.tar+zstd";
    case LayerFormat::raw:
      return "application/vnd.oci.image.layer.v1.tar";
    default:
      return k_layer_media_type;
  }
}

std::string recipe(LayerFormat format) {
  switch (format) {
    case LayerFormat::zstd:
      return zstd_recipe();
    case LayerFormat::estargz:
      return "estargz/1";
    default:
      return std::string(name(format)) + "/1";
  }
}

std::string converted_key(const base::Digest& gzip_layer, LayerFormat format) {
  return base::Digest::of(fmt::format("{}\n{}", recipe(format), gzip_layer.hex())).hex();
}

}  // namespace torchkiln::layer
