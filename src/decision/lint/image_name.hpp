#pragma once
// What an image's name says of what is in it.

#include "knowledge/version/cuda.hpp"
#include "knowledge/version/pep440.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace torchkiln::lint {

/// "registry.example/nvidia/cuda:12.1.1-devel-ubuntu22.04@sha256:…" in parts.
struct ImageName {
  std::string repository;  ///< with its registry
  std::string tag, digest;

  /// Whether the repository is `path`, on whatever registry: "nvidia/cuda".
  bool is_of(std::string_view path) const;
};

ImageName image_name(std::string_view reference);

/// What a base image brings, by its tag.
struct BaseContents {
  enum class Flavor { none, base, runtime, devel } flavor = Flavor::none;
  std::optional<version::CudaVersion> cuda;
  std::optional<version::Version> pytorch;
  bool sets_driver_capabilities = false;
};

/// For nvidia/cuda and pytorch/pytorch; empty for all that say nothing.
BaseContents contents_of(const ImageName& image);

}  // namespace torchkiln::lint
