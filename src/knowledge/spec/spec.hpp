#pragma once
// The user's kiln.toml ("torchkiln.spec/1") as types, every value with the place it was written at, and the
// command line's overrides on top of it.

#include "foundation/base/digest.hpp"
#include "foundation/base/error.hpp"
#include "foundation/document/document.hpp"
#include "knowledge/spec/variant.hpp"
#include "knowledge/version/cuda.hpp"
#include "knowledge/version/pep440.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::spec {

using document::Placed;

/// What is chosen where the requirements leave a choice: docs/matrix.md, "How the solver decides".
enum class Prefer { stable, newest, smallest, proven };
/// "stable", "newest", "smallest", "proven".
inline constexpr std::array k_preferences{Prefer::stable, Prefer::newest, Prefer::smallest, Prefer::proven};
std::string_view name(Prefer prefer);
base::Result<Prefer> parse_prefer(std::string_view text);

/// Where the devel part's CUDA toolkit (nvcc and the headers) comes from.
enum class ToolkitSource {
  none,      ///< there is none: C++ extensions can be built, CUDA ones cannot
  wheels,    ///< NVIDIA's wheels, which have nvcc from CUDA 13 on
  archives,  ///< NVIDIA's redistributable archives, by the release's redistrib_*.json
  base,      ///< the base image, which is one of NVIDIA's with the toolkit in it
};
/// "none", "wheels", "archives", "base".
std::string_view name(ToolkitSource source);
base::Result<ToolkitSource> parse_toolkit_source(std::string_view text);

/// What the image must be or run on. What is absent is chosen, newest first.
struct Requirements {
  std::optional<Placed<version::SpecifierSet>> pytorch;
  std::optional<Placed<version::SpecifierSet>> python;  ///< minor versions only: the OS chooses the patch
  std::optional<Placed<version::SpecifierSet>> cuda;
  std::optional<Placed<version::SpecifierSet>> cudnn;
  std::optional<Placed<version::SpecifierSet>> nccl;
  std::optional<Placed<std::string>> os;                 ///< "debian-12"
  std::optional<Placed<version::DriverVersion>> driver;  ///< the oldest driver the image must run on
  std::vector<Placed<std::string>> gpus;                 ///< model names or "sm_90"; all must be served
  std::optional<Placed<std::string>> architecture;       ///< "x86_64" or "aarch64"; absent: this machine's
  std::optional<Placed<Prefer>> prefer;
  /// Whether a cuda-compat package may be counted on; absent: no.
  std::optional<Placed<bool>> forward_compat;
};

/// One line of [packages] python: a PEP 508 requirement by name (no URL).
struct PythonPackage {
  std::string name;  ///< normalised as PyPA's name normalisation says: lower case, "-" for runs of "-_."
  std::vector<std::string> extras;  ///< sorted
  version::SpecifierSet versions;   ///< empty when any version will do
  std::string marker;               ///< what stands after ";", not interpreted here
  std::string text;                 ///< the whole requirement as written
  base::Place place;
};

struct Image {
  Placed<std::string> name{"torchkiln/pytorch", {}};  ///< an OCI repository name without a tag
  std::vector<Variant> variants{Variant()};           ///< in the order written, each once
  bool verifier = true;                               ///< without it, only level static can be reached
  bool bytecode = false;                              ///< Python's, of the wheels that all variants share
};

/// The user that the image's processes run as.
struct User {
  std::string name = "kiln";
  std::uint32_t uid = 1000;
  std::uint32_t gid = 1000;
  bool operator==(const User&) const = default;
};

struct Devel {
  std::optional<Placed<ToolkitSource>> cuda;  ///< absent: wheels where NVIDIA's have nvcc
};

/// A Python in an archive: one folder at its top with bin/python3.X and lib/python3.X, which runs wherever it lies.
struct PythonArchive {
  Placed<std::string> version;  ///< "3.12"
  std::string url;
  base::Digest digest;
};

/// What the image stands on, where that is not Debian put together from its packages.
struct Base {
  /// IMAGE as commands take it: HOST/REPO@DIGEST, oci:DIR, … Its system is [require] os.
  std::optional<Placed<std::string>> image;
  std::optional<PythonArchive> python;  ///< absent: the system's own
};

struct Spec {
  std::string file;  ///< the spec's file name; empty when there is none
  /// The spec below this one as it is written, relative to this one's folder; and the digest of its meaning.
  std::optional<Placed<std::string>> extends;
  std::optional<base::Digest> below;
  Image image;
  Requirements require;
  std::vector<PythonPackage> python_packages;
  std::vector<Placed<std::string>> system_packages;  ///< Debian package names
  User user;
  Devel devel;
  Base base;
};

/// Reads a spec. `file` is its name in every Place. One spec_invalid Error, with place and hint, for unknown keys,
/// wrong types and bad values. What `below` says holds where this one says nothing; packages and GPUs add up. A
/// spec that extends another gets that one as `below`: knowledge/spec/family.hpp reads both.
base::Result<Spec> parse(std::string_view text, std::string file, Spec below = {});

/// The values of the command line's --pytorch, --python, … ; absent ones leave the spec as it is. Lists replace.
struct Overrides {
  std::optional<std::string> pytorch, python, cuda, cudnn, nccl, os, driver, architecture, prefer;
  bool forward_compat = false;  ///< true: allowed; false: as the spec says
  std::vector<std::string> gpus;
  std::vector<std::string> variants;
  /// Where driver and gpus come from when not from options of that name ("/proc/driver/nvidia/version").
  std::optional<std::string> driver_source, gpus_source;
};

/// The spec with the overrides applied; the Place of such a value is the option's name ("--pytorch"). The code of
/// an Error is usage.
base::Result<Spec> with_overrides(Spec spec, const Overrides& overrides);

/// The meaning of the spec as compact JSON with sorted, fixed keys: equal for specs that differ in comments,
/// spacing or spelling only. Its SHA-256 is the spec digest of the lock.
std::string canonical_json(const Spec& spec);

}  // namespace torchkiln::spec
