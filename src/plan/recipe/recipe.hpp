#pragma once
// The recipe: what an image is, whoever builds it. A pure function of the lock and the variant: which wheels share
// a layer and in what order, the files we add, the environment, the labels, the user, the command.

#include "foundation/base/error.hpp"
#include "knowledge/spec/spec.hpp"
#include "knowledge/wheel/install.hpp"
#include "plan/lock/lock.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace torchkiln::recipe {

/// A wheel of this size or more gets a layer of its own, so that releases that share it share the layer.
inline constexpr std::uint64_t k_own_layer_bytes = 8U << 20;
/// The most layers an image may have that extends no other: far below the 127 that overlay file systems take, with
/// room for images made FROM ours.
inline constexpr std::size_t k_layer_limit = 40;
/// Each spec that extends another may add so many layers of wheels, besides its Debian packages and configuration.
inline constexpr std::size_t k_extension_wheel_layers = 4;
/// How many layers the wheels of a part may have. The base's share does not depend on the parts, so that every
/// variant has the same layers for it.
inline constexpr std::size_t k_part_wheel_layers = 4;
/// Layers that are not wheels: system, bytecode, verifier, each part's Debian packages, NVIDIA's archives,
/// configuration.
inline constexpr std::size_t k_other_layers = 5 + spec::k_parts.size();
inline constexpr std::size_t k_base_wheel_layers =
    k_layer_limit - k_other_layers - spec::k_parts.size() * k_part_wheel_layers;

/// shadow(5) counts in days.
inline constexpr std::int64_t k_seconds_per_day = 86400;

enum class FileType { file, directory, symlink };

/// A file that we add to the image ourselves.
struct AddedFile {
  std::string path;  ///< relative to the image's root
  FileType type = FileType::file;
  unsigned mode = 0644;
  unsigned uid = 0, gid = 0;
  std::string content;  ///< or the link's target
};

/// Indices into Lock::wheels: one entry a layer, lowest first.
using WheelLayers = std::vector<std::vector<std::size_t>>;

/// What a part puts on top of the base and the parts before it.
struct PartPlan {
  spec::Part part = spec::Part::devel;
  spec::Variant up_to;        ///< this part and those below it
  bool has_packages = false;  ///< whether it brings Debian packages that are not there yet
  bool has_archives = false;  ///< whether it brings NVIDIA's archives: all of Lock::archives that are its own
  WheelLayers wheel_layers;
};

/// What a spec that extends another puts on top of the image below.
struct ExtensionPlan {
  bool has_packages = false;
  WheelLayers wheel_layers;
};

/// docker's health check, which Kubernetes and podman can be given too.
struct HealthCheck {
  std::vector<std::string> command;
  double interval_s = 30, timeout_s = 10, start_period_s = 60;
  int retries = 3;
};

struct Recipe {
  spec::Variant variant;
  std::string tag;        ///< "2.8.0-cu128-cudnn9-py311-runtime"
  std::string reference;  ///< "team/pytorch:2.8.0-cu128-cudnn9-py311-runtime"
  wheel::InstallScheme scheme;
  std::string python_home = "/usr";  ///< the interpreter is bin/python3.X in it
  /// The base's wheels. Large ones alone, in one fixed order that puts what changes rarely first; all small ones
  /// together at the end.
  WheelLayers wheel_layers;
  std::vector<PartPlan> parts;                                   ///< lowest first
  std::vector<ExtensionPlan> extensions;                         ///< on top of the parts, lowest first
  std::vector<std::pair<std::string, std::string>> environment;  ///< in order
  std::map<std::string, std::string> labels;
  std::vector<std::string> entrypoint;
  std::vector<std::string> command;
  std::string user;  ///< "1000:1000": numbers, so that Kubernetes can see that it is not root
  std::string working_directory;
  std::vector<std::string> ports;  ///< "8888/tcp"
  HealthCheck health;
  std::int64_t created_s = 0;
};

/// `created_s` replaces the lock's own time where given (SOURCE_DATE_EPOCH).
Recipe make_recipe(const lock::Lock& lock, spec::Variant variant,
                   std::optional<std::int64_t> created_s = std::nullopt);

/// The files of the configuration layer: the virtual environment's skeleton, the user (added to the account files
/// of the layers below, given by path), its folders, and `own` files (own_files()). Fails with spec_invalid when
/// the user's name or number is taken.
base::Result<std::vector<AddedFile>> configuration_files(const lock::Lock& lock, const Recipe& recipe,
                                                         const std::map<std::string, std::string>& base_files,
                                                         const std::vector<AddedFile>& own);

/// What we put into every image (images/base/root) and into those with a part (images/<part>/root), path for path;
/// where there is a CUDA toolkit, also links to it: of wheels, those of images/devel/cuda-links.txt; and pip's
/// constraints. A script, which starts with "#!", is executable; nothing else is.
base::Result<std::vector<AddedFile>> own_files(const std::filesystem::path& images, const lock::Lock& lock,
                                               const Recipe& recipe);

/// Whether images of this variant have nvcc.
bool has_cuda_toolkit(const lock::Lock& lock, spec::Variant variant);

/// Where the toolkit of NVIDIA's archives goes: "usr/local/cuda-12.8".
std::string toolkit_folder(const lock::Lock& lock);

/// Where an interpreter of an archive goes.
inline constexpr const char* k_python_folder = "opt/python";

/// The verifier's sources (images/verifier) that it is compiled from in the image's build root, path for path.
base::Result<std::vector<AddedFile>> verifier_files(const std::filesystem::path& images);

/// The file below the prefix that holds pip_constraints().
inline constexpr const char* k_constraints_file = "constraints.txt";
/// PyTorch and the libraries that it needs, each at the version of the lock: what `pip install` in an image, or in
/// one made FROM it, must leave as it is.
std::string pip_constraints(const lock::Lock& lock, const Recipe& recipe);

/// The pyvenv.cfg (PEP 405) of the image's virtual environment. It sees the user's own packages, so that who may
/// not write to it can `pip install` too; its own come first.
std::string pyvenv_cfg(const Recipe& recipe);

/// NVIDIA_REQUIRE_CUDA for a build without PTX: minor-version compatibility runs it on every driver of its CUDA
/// family (NVIDIA, "CUDA Compatibility", Minor Version Compatibility), so the family's first release is what to
/// require. The tables in NVIDIA's own images are narrower and refuse drivers that work.
std::string nvidia_require_cuda(std::string_view cuda);

}  // namespace torchkiln::recipe
