#include "decision/lint/image_name.hpp"

#include "foundation/base/text.hpp"

namespace torchkiln::lint {

ImageName image_name(std::string_view reference) {
  ImageName image;
  const auto at = reference.find('@');
  if (at != std::string_view::npos) {
    image.digest = reference.substr(at + 1);
    reference = reference.substr(0, at);
  }
  const auto colon = reference.rfind(':');
  const auto slash = reference.rfind('/');
  // The colon of "localhost:5000/image" belongs to the registry.
  if (colon != std::string_view::npos && (slash == std::string_view::npos || colon > slash)) {
    image.tag = reference.substr(colon + 1);
    reference = reference.substr(0, colon);
  }
  image.repository = reference;
  return image;
}

bool ImageName::is_of(std::string_view path) const {
  return repository == path || (repository.size() > path.size() && repository.ends_with(path) &&
                                repository[repository.size() - path.size() - 1] == '/');
}

BaseContents contents_of(const ImageName& image) {
  BaseContents contents;
  const auto parts = base::split(image.tag, '-');
  const auto has = [&](std::string_view word) {
    for (const auto part : parts)
      if (part == word) return true;
    return false;
  };
  const auto flavor = [&] {
    if (has("devel")) return BaseContents::Flavor::devel;
    if (has("runtime")) return BaseContents::Flavor::runtime;
    return has("base") ? BaseContents::Flavor::base : BaseContents::Flavor::none;
  };
  if (image.is_of("nvidia/cuda")) {
    contents.sets_driver_capabilities = true;
    contents.flavor = flavor();
    if (const auto cuda = version::CudaVersion::parse(parts[0])) contents.cuda = *cuda;
  } else if (image.is_of("pytorch/pytorch")) {
    contents.sets_driver_capabilities = true;
    contents.flavor = flavor();
    if (const auto pytorch = version::Version::parse(parts[0])) contents.pytorch = *pytorch;
    for (const auto part : parts)
      if (part.starts_with("cuda"))
        if (const auto cuda = version::CudaVersion::parse(part.substr(4))) contents.cuda = *cuda;
  } else if (image.repository.find("nvidia/") != std::string::npos) {
    contents.sets_driver_capabilities = true;  // NGC images do
  }
  return contents;
}

}  // namespace torchkiln::lint
