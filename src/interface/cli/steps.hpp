#pragma once
// The steps that several subcommands share: spec, resolution, lock, images, proof.

#include "assembly/engine/container_engine.hpp"
#include "assembly/engine/image.hpp"
#include "assembly/oci/reference.hpp"
#include "decision/solver/solver.hpp"
#include "foundation/base/error.hpp"
#include "interface/cli/session.hpp"
#include "interface/console/documents.hpp"
#include "knowledge/spec/spec.hpp"
#include "plan/lock/make_lock.hpp"
#include "proof/stamp/key.hpp"
#include "proof/verify/verify.hpp"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace torchkiln::cli {

/// Which spec, and what on the command line is laid over it.
struct SpecOptions {
  std::string file;  ///< empty: kiln.toml in the working directory, where there is one
  spec::Overrides overrides;
  bool this_host = false;
};

/// Files that belong to a spec.
struct ProjectFiles {
  std::filesystem::path spec;  ///< empty when everything comes from options
  std::filesystem::path lock, pylock;
  std::filesystem::path layout;  ///< where images go unless -o says otherwise
};

struct Project {
  spec::Spec spec;
  ProjectFiles files;
  std::shared_ptr<const Project> below;  ///< of the spec that this one extends
};
base::Result<Project> load_project(const SpecOptions& options);

/// The age of the data today, or on the day of SOURCE_DATE_EPOCH.
base::Result<console::DataAge> data_age(const matrix::Matrix& matrix);

base::Result<solver::Outcome> resolve(const Project& project, const matrix::Matrix& matrix);

struct LockOptions {
  lock::PythonIndexes indexes;
  std::vector<std::string> mirrors;
  std::vector<std::string> redist;
  lock::Upgrade upgrade = lock::Upgrade::keep;
  std::vector<std::string> upgrade_packages;
};
/// A lock, or the conflict that stands in its way.
using LockOutcome = std::variant<lock::Lock, solver::Conflict>;
/// The project's lock: the one on disk while it answers the spec, else a new one, which is written. What the spec
/// extends is locked first; an upgrade is this spec's alone.
base::Result<LockOutcome> ensure_lock(const Project& project, const LockOptions& options, Session& session);
base::Result<lock::Lock> read_lock(const std::filesystem::path& file);

/// Where images are built into.
struct BuildTarget {
  std::filesystem::path layout;
  /// Registries' repositories that all images go to next: what all of them have already is left out of the layout.
  std::vector<oci::RegistryReference> sparse_for = {};
  layer::LayerFormat format = layer::LayerFormat::gzip;
};
/// How layers are packed, as options say it.
struct FormatOptions {
  std::string layers = "gzip";
  bool single_member = false, estargz = false;
};
/// "auto" is raw for an image that stays on this machine and gzip for one that is pushed.
enum class Destination { this_machine, registry };
base::Result<layer::LayerFormat> chosen_format(const FormatOptions& options, Destination destination);
/// The recipes of the spec's variants.
base::Result<std::vector<recipe::Recipe>> make_recipes(const Project& project, const lock::Lock& lock);
/// What the direct engine is asked for; `recipes` must outlive it.
base::Result<engine::LayersRequest> layers_request(const Project& project, const lock::Lock& lock,
                                                   const std::vector<recipe::Recipe>& recipes,
                                                   const BuildTarget& target, Session& session);
/// Builds the spec's variants into the layout and, with the direct engine, notes the layers in the lock on disk.
base::Result<std::vector<console::BuiltImage>> build_images(const Project& project, lock::Lock lock,
                                                            const BuildTarget& target, engine::Builder builder,
                                                            Session& session);

/// Tells why there is no lock; the exit status.
base::Result<int> tell_conflict(const solver::Conflict& conflict, Session& session);

/// The key that signs, and where the words that open it come from: never an argument.
struct KeyOptions {
  std::string file;  ///< empty: the default
  std::string passphrase_file;
  int passphrase_descriptor = -1;
  std::string valid_for;  ///< empty: its stamps have no end

  std::filesystem::path path() const;
  /// Seconds; nothing where there is no end.
  base::Result<std::optional<std::int64_t>> valid_for_s() const;
};
/// The key, made when there is none.
base::Result<stamp::PrivateKey> open_signing_key(const KeyOptions& options);

}  // namespace torchkiln::cli
