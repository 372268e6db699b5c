#include "interface/cli/base_image.hpp"

#include "assembly/layer/flattened.hpp"
#include "assembly/oci/contents.hpp"
#include "foundation/base/text.hpp"
#include "interface/cli/open_image.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace torchkiln::cli {

using base::ErrorCode;
using base::Result;
namespace fs = std::filesystem;

namespace {

constexpr const char* k_packages_file = "var/lib/dpkg/status";
constexpr const char* k_system_files[] = {"etc/os-release", "usr/lib/os-release"};

/// The reference with a path that is relative to the spec's folder, as paths in a spec are.
Result<oci::ImageReference> base_reference(const spec::Placed<std::string>& image) {
  auto reference = oci::parse_reference(image.value);
  if (!reference) {
    auto error = std::move(reference).error();
    error.code = ErrorCode::spec_invalid;
    error.where = image.place;
    return base::fail(std::move(error));
  }
  const auto folder = fs::path(image.place.file).parent_path();
  if (auto* layout = std::get_if<oci::LayoutReference>(&*reference)) layout->directory = folder / layout->directory;
  if (auto* archive = std::get_if<oci::ArchiveReference>(&*reference)) archive->file = folder / archive->file;
  return reference;
}

/// Docker's names for layers are for the same bytes as OCI's.
std::string oci_type(const std::string& media_type) {
  if (media_type == "application/vnd.docker.image.rootfs.diff.tar.gzip") return std::string(oci::k_layer_gzip_type);
  if (media_type == "application/vnd.docker.image.rootfs.diff.tar") return std::string(oci::k_layer_tar_type);
  return media_type;
}

/// An image whose layers are in the cache.
struct Opened {
  lock::LockedBase locked;
  std::string architecture;  ///< as Go names it
};

Result<Opened> open_into_cache(const oci::ImageReference& reference, Session& session) {
  TK_TRY(const auto opened, open_image(oci::to_string(reference), ImageContent::everything, session));
  TK_TRY(const auto contents, oci::read_contents(opened.layout, opened.image));
  TK_CHECK(session.take_cache());
  const auto& blobs = session.cache().blobs();
  Opened base;
  base.locked.image = oci::to_string(reference);
  base.locked.digest = opened.image.descriptor.digest;
  if (const auto* registry = std::get_if<oci::RegistryReference>(&reference))
    base.locked.from =
        fmt::format("{}/{}@{}", registry->host, registry->repository, base.locked.digest.to_string());
  base.architecture = contents.config.architecture;
  for (const auto& layer : contents.layers) {
    const auto& descriptor = layer.descriptor;
    if (!blobs.contains(descriptor.digest))
      TK_CHECK(sys::link_or_copy(opened.layout.blob_path(descriptor.digest), blobs.path(descriptor.digest)));
    TK_TRY(const bool whole, blobs.contains_whole(descriptor.digest));
    if (!whole)
      return base::fail(ErrorCode::integrity_failed,
                        fmt::format("layer {} of {} is damaged", descriptor.digest.to_string(), base.locked.image));
    base.locked.layers.push_back(
        {descriptor.digest, layer.diff_id, descriptor.size_bytes, oci_type(descriptor.media_type)});
  }
  return base;
}

/// "debian-12", "ubuntu-24.04" (os-release(5)).
std::string system_of(const std::map<std::string, std::string>& files) {
  std::string id, version;
  for (const auto* file : k_system_files) {
    const auto at = files.find(file);
    if (at == files.end()) continue;
    for (const auto line : base::lines(at->second)) {
      const auto equals = line.find('=');
      if (equals == std::string_view::npos) continue;
      const auto value = base::replace_all(std::string(base::trim(line.substr(equals + 1))), "\"", "");
      if (line.substr(0, equals) == "ID") id = value;
      if (line.substr(0, equals) == "VERSION_ID") version = value;
    }
    break;
  }
  return version.empty() ? id : id + "-" + version;
}

}  // namespace

Result<std::optional<lock::BaseImage>> open_base_image(const spec::Spec& spec, const solver::Resolution& resolution,
                                                       Session& session) {
  if (!spec.base.image) return std::optional<lock::BaseImage>();
  const auto& named = *spec.base.image;
  base::Step step(session.progress(), "Opening", named.value);
  TK_TRY(const auto reference, base_reference(named));
  TK_TRY(auto opened, open_into_cache(reference, session));
  const std::string wanted = resolution.architecture == matrix::Architecture::aarch64 ? "arm64" : "amd64";
  if (opened.architecture != wanted)
    return base::fail_at(
        ErrorCode::spec_invalid, named.place,
        fmt::format("{} is for {}, and the image is to be for {}", named.value, opened.architecture, wanted));
  std::vector<layer::ImageLayer> layers;
  std::uint64_t size_bytes = 0;
  for (const auto& one : opened.locked.layers) {
    layers.push_back({one.digest, one.diff_id});
    size_bytes += one.size_bytes;
  }
  const auto compiler = fmt::format("usr/local/cuda-{}/bin/nvcc", resolution.cuda.to_string());
  TK_TRY(auto files, layer::read_image_files(layers, session.cache().blobs(),
                                             {k_packages_file, k_system_files[0], k_system_files[1], compiler}));
  if (const auto system = system_of(files); system != resolution.os.id)
    return base::fail_at(ErrorCode::spec_invalid, spec.require.os ? spec.require.os->place : named.place,
                         fmt::format("{} is {}, not {}", named.value,
                                     system.empty() ? "of an unknown system" : system, resolution.os.id),
                         {"say in [require] what it is, or name another image"});
  const auto& cuda = spec.devel.cuda;
  if (cuda && cuda->value == spec::ToolkitSource::base && !files.count(compiler))
    return base::fail_at(ErrorCode::spec_invalid, cuda->place, fmt::format("{} has no /{}", named.value, compiler),
                         {fmt::format("name an image with the toolkit of CUDA {}, or take it from \"archives\"",
                                      resolution.cuda.to_string())});
  step.end(fmt::format("{} layers, {}", layers.size(), base::format_bytes(size_bytes)));
  return std::optional(
      lock::BaseImage{std::move(opened.locked), std::move(files[k_packages_file]), named.value, named.place});
}

Result<void> fetch_base_image(const spec::Spec& spec, const lock::Lock& lock, Session& session) {
  if (!lock.base) return {};
  const auto& blobs = session.cache().blobs();
  if (std::all_of(lock.base->layers.begin(), lock.base->layers.end(),
                  [&](const lock::LockedBaseLayer& layer) { return blobs.contains(layer.digest); }))
    return {};
  auto reference = oci::parse_reference(lock.base->from);
  if (lock.base->from.empty()) {
    TK_ASSERT(spec.base.image, "a lock with a base image is of a spec with one");
    reference = base_reference(*spec.base.image);
  }
  if (!reference) return base::fail(std::move(reference).error());
  TK_TRY(const auto opened, open_into_cache(*reference, session));
  if (opened.locked.digest == lock.base->digest) return {};
  return base::fail(ErrorCode::lock_invalid,
                    fmt::format("{} is another image now: {} instead of {}", lock.base->image,
                                opened.locked.digest.to_string(), lock.base->digest.to_string()),
                    {"take it as it is with 'torchkiln lock --upgrade', or bring the old one back"});
}

matrix::Matrix with_python_of(const spec::Spec& spec, matrix::Matrix matrix) {
  if (!spec.base.python) return matrix;
  for (auto& system : matrix.systems) {
    system.python = spec.base.python->version.value;
    system.from.place = spec.base.python->version.place;
  }
  return matrix;
}

}  // namespace torchkiln::cli
