#include "assembly/engine/layer_command.hpp"

#include "foundation/base/text.hpp"
#include "foundation/sys/environment.hpp"

#include <algorithm>

namespace torchkiln::engine {

using base::Result;
namespace fs = std::filesystem;

namespace {
constexpr double k_timeout_s = 1800;
constexpr std::size_t k_shown_lines = 20;
constexpr std::string_view k_output = "output";
}  // namespace

LayerCommand::LayerCommand(const Cache& cache, sys::TemporaryDirectory work)
    : m_runner(cache.runner()), m_work(std::move(work)) {}

Result<LayerCommand> LayerCommand::create(std::span<const ReadyLayer> layers, std::vector<runtime::Mount> mounts,
                                          std::string failure, const Cache& cache, base::Progress& progress) {
  TK_TRY(auto work, sys::TemporaryDirectory::create(cache.work(), "layer-"));
  LayerCommand command(cache, std::move(work));
  command.m_failure = std::move(failure);
  command.m_mounts = std::move(mounts);
  const auto output = command.m_work.path() / k_output;
  TK_CHECK(sys::make_directories(output));
  command.m_mounts.push_back({output, "/" + std::string(k_output), runtime::Access::read_write});
  std::vector<runtime::Layer> packed;
  for (const auto& one : layers)
    packed.push_back({cache.blobs().path(one.facts.digest),
                      one.media_type.empty() ? std::string(layer::k_layer_media_type) : one.media_type,
                      one.facts.diff_id});
  TK_TRY(command.m_lower, cache.unpacked().unpack_all(packed, sys::processor_count(), progress));
  TK_TRY(command.m_kind, command.m_runner.choose());
  return command;
}

Result<void> LayerCommand::run(std::vector<std::string> arguments, std::map<std::string, std::string> environment,
                               base::Step& step) const {
  runtime::RunRequest request;
  request.arguments = std::move(arguments);
  request.environment = std::move(environment);
  request.mounts = m_mounts;
  request.timeout_s = k_timeout_s;
  request.on_line = [&step](std::string_view line) { step.output(line); };
  TK_TRY(const auto outcome, m_runner.run(m_kind, m_lower, request));
  if (outcome.exit_status == 0 && !outcome.timed_out) return {};
  base::Error error{base::ErrorCode::tool_failed, m_failure, std::nullopt, {}, {}};
  auto said = base::lines(outcome.output + outcome.errors);
  for (std::size_t i = said.size() > k_shown_lines ? said.size() - k_shown_lines : 0; i < said.size(); ++i)
    error.notes.emplace_back(said[i]);
  return base::fail(std::move(error));
}

Result<std::vector<recipe::AddedFile>> LayerCommand::made_files() const {
  const auto root = m_work.path() / k_output;
  TK_TRY(const auto paths, files_below(root));
  std::map<std::string, recipe::AddedFile> files;
  for (const auto& path : paths) {
    for (auto folder = path.parent_path(); !folder.empty(); folder = folder.parent_path())
      files[folder.string()] = {folder.string(), recipe::FileType::directory, 0755, 0, 0, {}};
    recipe::AddedFile file;
    file.path = path.string();
    std::error_code error;
    const auto permissions = fs::status(root / path, error).permissions();
    file.mode = (permissions & fs::perms::owner_exec) != fs::perms::none ? 0755 : 0644;
    TK_TRY(file.content, sys::read_file(root / path));
    files[file.path] = std::move(file);
  }
  std::vector<recipe::AddedFile> list;
  for (auto& [path, file] : files) list.push_back(std::move(file));
  return list;
}

Result<std::vector<fs::path>> files_below(const fs::path& root) {
  std::vector<fs::path> files;
  std::error_code error;
  for (auto it = fs::recursive_directory_iterator(root, error); !error && it != fs::recursive_directory_iterator();
       it.increment(error))
    if (it->is_regular_file(error)) files.push_back(fs::relative(it->path(), root, error));
  if (error) return base::fail(sys::file_error("read", root, error.value()));
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace torchkiln::engine
