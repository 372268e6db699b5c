#pragma once
// kiln.lock ("torchkiln.lock/1"): everything an image is made of, pinned by SHA-256. Reading, writing, and the two
// digests that say whether it still fits its spec and whether two locks give the same image.

#include "decision/solver/solver.hpp"
#include "foundation/base/digest.hpp"
#include "foundation/base/error.hpp"
#include "knowledge/spec/spec.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace torchkiln::lock {

/// The layer that holds a wheel, once it has been made: facts that follow from the wheel's digest.
struct LockedLayer {
  base::Digest digest;
  base::Digest diff_id;
  std::uint64_t size_bytes = 0;
  std::uint64_t unpacked_bytes = 0;  ///< 0 where a lock of an earlier torchkiln does not say
  bool operator==(const LockedLayer&) const = default;
};

struct LockedWheel {
  std::string name;  ///< normalised (PEP 503)
  std::string version;
  std::string file_name;
  std::string url;
  base::Digest digest;
  std::uint64_t size_bytes = 0;
  std::uint64_t unpacked_bytes = 0;
  std::uint64_t files = 0;      ///< 0 where a lock of an earlier torchkiln does not say
  std::int64_t uploaded_s = 0;  ///< seconds since 1970; 0 where the index does not say
  spec::Variant parts;          ///< the parts that need it; none: it is in the base that all images share
  std::optional<LockedLayer> layer;
};

struct LockedDeb {
  std::string name, version, architecture;
  std::string url;
  base::Digest digest;
  std::uint64_t size_bytes = 0;
  spec::Variant parts;         ///< the parts that need it
  bool in_build_root = false;  ///< whether the root that the verifier is compiled in needs it
  /// Nothing of the two: it is in the base that all images and the build root share.
  bool is_base() const { return parts.is_runtime() && !in_build_root; }
};

/// One of NVIDIA's redistributable archives.
struct LockedArchive {
  std::string name;  ///< of the component: "cuda_nvcc"
  std::string version;
  std::string url;
  base::Digest digest;
  std::uint64_t size_bytes = 0;  ///< 0 where the list does not say
  spec::Variant parts;           ///< the parts that need it
};

/// A layer of somebody else's image.
struct LockedBaseLayer {
  base::Digest digest, diff_id;
  std::uint64_t size_bytes = 0;
  std::string media_type;
  bool operator==(const LockedBaseLayer&) const = default;
};

/// The image that ours stands on, where that is not Debian put together from its packages.
struct LockedBase {
  std::string image;    ///< where it was, without credentials: "registry.example/debian:12", "oci:base"
  std::string from;     ///< for a Dockerfile's FROM: HOST/REPO@DIGEST; empty where it is in no registry
  base::Digest digest;  ///< of its manifest
  std::vector<LockedBaseLayer> layers;
  bool operator==(const LockedBase&) const = default;
};

/// The part of a solver::Resolution that images are made from.
struct LockedResolution {
  std::string pytorch, build, index, cuda, cudnn, nccl, python, triton, torchvision, torchaudio, released;
  std::string os, distribution, suite, glibc;
  std::string architecture;
  std::string driver_minimum, driver_without_minor_version_compatibility;
  std::vector<std::string> sass, ptx;
  std::vector<std::string> gpus;  ///< the compute capabilities that were asked for, ascending; none: any
  bool operator==(const LockedResolution&) const = default;
};

struct Lock {
  base::Digest spec_digest;
  base::Digest matrix_revision;
  std::string image_name;
  spec::User user;
  std::vector<std::string> requested;         ///< PEP 508 lines that uv was asked for, torch first
  std::vector<std::string> requested_debian;  ///< packages that apt was asked for, sorted
  LockedResolution resolution;
  std::vector<LockedWheel> wheels;      ///< sorted by name
  std::vector<LockedDeb> debs;          ///< sorted by name
  std::vector<LockedArchive> archives;  ///< of the CUDA toolkit
  std::optional<LockedBase> base;
  std::optional<LockedArchive> python;  ///< the archive that the interpreter is in
  std::optional<LockedLayer> bytecode;  ///< the layer of Python's bytecode, once it has been made
  bool has_toolkit_in_base = false;     ///< whether the devel part takes the base image's CUDA toolkit
  /// The identity of the lock below, where the spec extends another: all that it pins is here too.
  std::optional<base::Digest> extends;
  /// That lock. It stays a file of its own: whoever reads this one says what lies below.
  std::shared_ptr<const Lock> below;
  /// The time of the newest wheel, seconds since 1970: what images say they were created at.
  std::int64_t created_s() const;
};

LockedResolution locked(const solver::Resolution& resolution);

/// `file` is for places in errors.
base::Result<Lock> parse(std::string_view toml, const std::string& file);
std::string to_toml(const Lock& lock);

/// What the images of this lock depend on, and nothing else: not addresses, not layer facts, not the revision of
/// the matrix that led to the resolution. Two locks with one identity give the same images.
base::Digest identity(const Lock& lock);
/// The digest of a spec's meaning, for Lock::spec_digest.
base::Digest digest_of(const spec::Spec& spec);

/// "2.8.0-cu128-cudnn9-py311": what tags are made of.
std::string version_tag(const LockedResolution& resolution);

/// All variants of the spec as one set of parts.
spec::Variant all_parts(const spec::Spec& spec);
/// Whether an image of this variant has the wheel or Debian package.
bool is_in(const LockedWheel& wheel, spec::Variant variant);
bool is_in(const LockedDeb& deb, spec::Variant variant);

/// How much the devel part's CUDA toolkit adds to what is fetched, in bytes: NVIDIA's archives, or its wheels that
/// torch itself does not need.
std::uint64_t toolkit_bytes(const Lock& lock);

/// The version of a locked wheel, by normalised name; empty when it is not locked.
std::string locked_version(const Lock& lock, std::string_view name);

}  // namespace torchkiln::lock
