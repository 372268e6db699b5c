#pragma once
// Commands that run in a root of given layers and make the files of another one.

#include "assembly/engine/direct.hpp"
#include "assembly/runtime/runtime.hpp"

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace torchkiln::engine {

class LayerCommand {
 public:
  /// A root of `layers`, lowest first, with an empty folder of ours as /output for what the commands make.
  /// `failure` is what an error says of a command that fails.
  static base::Result<LayerCommand> create(std::span<const ReadyLayer> layers, std::vector<runtime::Mount> mounts,
                                           std::string failure, const Cache& cache, base::Progress& progress);

  /// Runs without a network, with `environment` and nothing else, and times out after half an hour. What
  /// it says goes to `step`, and its last lines into the error.
  base::Result<void> run(std::vector<std::string> arguments, std::map<std::string, std::string> environment,
                         base::Step& step) const;

  /// What is in /output, as files of a layer: root's, with modes 0644 and 0755.
  base::Result<std::vector<recipe::AddedFile>> made_files() const;

 private:
  LayerCommand(const Cache& cache, sys::TemporaryDirectory work);

  runtime::Runner m_runner;
  sys::TemporaryDirectory m_work;
  runtime::RuntimeKind m_kind = {};
  std::vector<std::filesystem::path> m_lower;
  std::vector<runtime::Mount> m_mounts;
  std::string m_failure;
};

/// Regular files below `root`, by relative path, in order.
base::Result<std::vector<std::filesystem::path>> files_below(const std::filesystem::path& root);

}  // namespace torchkiln::engine
