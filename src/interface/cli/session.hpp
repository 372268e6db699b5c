#pragma once
// What every subcommand has: the options common to all, where our own data lies, the cache, progress and network.

#include "assembly/engine/cache.hpp"
#include "assembly/registry/registries.hpp"
#include "foundation/base/error.hpp"
#include "foundation/document/json.hpp"
#include "foundation/sys/http.hpp"
#include "interface/console/progress.hpp"
#include "interface/console/terminal.hpp"
#include "knowledge/matrix/load.hpp"
#include "plan/lock/python.hpp"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace torchkiln::cli {

/// Options that every command takes.
struct CommonOptions {
  std::string program = "torchkiln";  ///< as it was called, for commands to try next
  console::View view;
  sys::NetworkAccess network = sys::NetworkAccess::allowed;
  std::string manifests;                      ///< --manifests DIR; empty: ours
  std::string cache;                          ///< --cache DIR; empty: the default
  std::vector<std::string> plain_http;        ///< --plain-http HOST
  std::vector<std::string> registry_mirrors;  ///< --registry-mirror HOST=URL
};

/// ~/.config/torchkiln, or torchkiln below XDG_CONFIG_HOME.
std::filesystem::path configuration_folder();

class Session {
 public:
  explicit Session(CommonOptions options);

  const CommonOptions& options() const { return m_options; }
  console::ConsoleProgress& progress() { return *m_progress; }
  const engine::Cache& cache() const { return m_cache; }
  sys::HttpClient& http() { return m_http; }
  registry::Registries& registries() { return m_registries; }
  console::Paint paint() const { return console::Paint(console::coloring_of(m_options.view.color, 1)); }
  bool is_json() const { return m_options.view.format == console::OutputFormat::json; }

  /// Prints a result: text or JSON, as asked.
  void print(const std::string& text, const std::string& json);
  base::Result<void> print(const std::string& text, const document::Json& json);

  /// The folder of the matrix: --manifests, or our own.
  base::Result<std::filesystem::path> manifests() const;
  /// The manifests and the proofs of proofs_file().
  base::Result<matrix::Matrix> load_matrix() const;
  /// Where proofs are added: proofs.toml of the folder that --manifests names, or else the user's own.
  std::filesystem::path proofs_file() const;
  /// Our own folder `name` (manifests, templates, images): beside an installed program, or in the source tree.
  base::Result<std::filesystem::path> data_folder(const std::string& name) const;
  /// The uv program: TORCHKILN_UV, the one that scripts/setup installed, or one on PATH.
  base::Result<std::filesystem::path> uv() const;
  /// Has the cache ready and to ourselves until the session ends.
  base::Result<void> take_cache();
  /// Lets others fill it, while a container runs.
  void leave_cache() { m_cache_lock.reset(); }

 private:
  CommonOptions m_options;
  std::unique_ptr<console::ConsoleProgress> m_progress;
  engine::Cache m_cache;
  sys::HttpClient m_http;
  registry::Registries m_registries;
  std::optional<sys::FileLock> m_cache_lock;
};

}  // namespace torchkiln::cli
