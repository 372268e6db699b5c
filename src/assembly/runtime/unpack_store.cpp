#include "assembly/runtime/unpack_store.hpp"

#include "assembly/runtime/inner_call.hpp"
#include "assembly/runtime/work_folder.hpp"
#include "foundation/base/text.hpp"
#include "foundation/sys/workers.hpp"

#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <set>
#include <sys/stat.h>

namespace torchkiln::runtime {

namespace fs = std::filesystem;
using base::ErrorCode;
using base::fail;
using base::Result;

namespace {

/// Adds what several layers report into one step.
class Total {
 public:
  Total(base::Step& step, std::uint64_t total_bytes) : m_step(step), m_total_bytes(total_bytes) {}
  void add(std::uint64_t bytes) { m_step.update(m_done_bytes += bytes, m_total_bytes); }

 private:
  base::Step& m_step;
  std::uint64_t m_total_bytes;
  std::atomic<std::uint64_t> m_done_bytes = 0;
};

}  // namespace

Result<std::vector<Layer>> layers_of(const oci::Layout& layout, const oci::Manifest& manifest,
                                     const oci::ImageConfig& config) {
  if (manifest.layers.size() != config.diff_ids.size())
    return base::fail(base::ErrorCode::input_invalid,
                      "the image's manifest and configuration disagree about the number of layers");
  std::vector<Layer> layers;
  for (std::size_t i = 0; i < manifest.layers.size(); ++i)
    layers.push_back(
        {layout.blob_path(manifest.layers[i].digest), manifest.layers[i].media_type, config.diff_ids[i]});
  return layers;
}

bool UnpackStore::contains(const base::Digest& diff_id) const {
  std::error_code ignored;
  return fs::is_directory(entry(diff_id), ignored);
}

void UnpackStore::note_use(const base::Digest& diff_id) const {
  static_cast<void>(::utimensat(AT_FDCWD, entry(diff_id).c_str(), nullptr, 0));
}

Result<std::int64_t> UnpackStore::last_used_s(const base::Digest& diff_id) const {
  struct stat status = {};
  if (::stat(entry(diff_id).c_str(), &status) != 0) return fail(sys::file_error("examine", entry(diff_id), errno));
  return status.st_mtime;
}

Result<fs::path> UnpackStore::unpack_with(const Layer& layer,
                                          const std::function<void(std::uint64_t)>& on_bytes) const {
  TK_CHECK(claim_folder(m_root));
  const auto target = path(layer.diff_id);
  if (contains(layer.diff_id)) {
    note_use(layer.diff_id);
    return target;
  }
  const auto compression = compression_of(layer.media_type);
  if (!compression)
    return fail(ErrorCode::input_invalid,
                "'" + layer.media_type + "' is no media type of a layer that can be unpacked");
  TK_CHECK(sys::make_directories(m_root / "sha256"));
  // Another process that unpacks the same layer is waited for.
  TK_TRY(const auto turn, sys::FileLock::acquire(m_root / "locks" / layer.diff_id.hex(), [](std::string_view) {}));
  if (contains(layer.diff_id)) return target;

  const auto remover = [this](const fs::path& tree) { return remove_any_tree(m_self_program, tree); };
  TK_TRY(const auto folder, WorkFolder::create(m_root / "work", remover));
  InnerCall call;
  call.self_program = m_self_program;
  call.folder = folder.path();
  std::uint64_t reported_bytes = 0;
  call.on_line = [&](std::string_view line) {
    const auto done_bytes = base::parse_integer(line);
    if (!done_bytes || *done_bytes < static_cast<std::int64_t>(reported_bytes)) return;
    on_bytes(static_cast<std::uint64_t>(*done_bytes) - reported_bytes);
    reported_bytes = static_cast<std::uint64_t>(*done_bytes);
  };
  const auto made = folder.path() / "entry";
  TK_CHECK(sys::make_directories(made));
  TK_CHECK(call_inner(call, UnpackJob{fs::absolute(layer.blob), *compression, layer.diff_id, made / "tree"}));
  TK_CHECK(sys::move_file(made, entry(layer.diff_id)));
  TK_CHECK(sys::sync_directory(m_root / "sha256"));
  if (const auto size_bytes = sys::size_of_file(layer.blob); size_bytes && *size_bytes > reported_bytes)
    on_bytes(*size_bytes - reported_bytes);
  return target;
}

Result<fs::path> UnpackStore::unpack(const Layer& layer) const {
  return unpack_with(layer, [](std::uint64_t) {});
}

Result<std::vector<fs::path>> UnpackStore::unpack_all(std::span<const Layer> layers, unsigned parallel,
                                                      base::Progress& progress) const {
  TK_CHECK(claim_folder(m_root));
  std::vector<fs::path> folders;
  std::vector<const Layer*> missing;
  std::set<base::Digest> seen;
  std::uint64_t total_bytes = 0;
  for (const auto& layer : layers) {
    folders.push_back(path(layer.diff_id));
    if (contains(layer.diff_id)) {
      note_use(layer.diff_id);
      continue;
    }
    if (!seen.insert(layer.diff_id).second) continue;
    missing.push_back(&layer);
    total_bytes += sys::size_of_file(layer.blob).value_or(0);
  }
  if (missing.empty()) return folders;

  base::Step step(progress, "Unpacking",
                  std::to_string(missing.size()) + (missing.size() == 1 ? " layer" : " layers"));
  Total total(step, total_bytes);
  sys::Workers workers(std::max(1U, parallel));
  for (const auto* layer : missing)
    // The largest first, so that none is left alone at the end.
    workers.submit(
        [this, layer, &total]() -> Result<void> {
          TK_CHECK(unpack_with(*layer, [&total](std::uint64_t bytes) { total.add(bytes); }));
          return {};
        },
        static_cast<std::int64_t>(sys::size_of_file(layer->blob).value_or(0)));
  TK_CHECK(workers.wait());
  step.end(base::format_bytes(total_bytes));
  return folders;
}

Result<void> UnpackStore::remove(const base::Digest& diff_id) const {
  if (!contains(diff_id)) return {};
  const auto remover = [this](const fs::path& tree) { return remove_any_tree(m_self_program, tree); };
  // Moved away first, so that no reader takes a half-removed folder for the layer.
  TK_TRY(const auto folder, WorkFolder::create(m_root / "work", remover));
  TK_CHECK(sys::move_file(entry(diff_id), folder.path() / "entry"));
  return {};
}

}  // namespace torchkiln::runtime
