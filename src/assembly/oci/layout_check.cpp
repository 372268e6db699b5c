// Layout: whether an image is whole, and what is left over.

#include "assembly/oci/blob_hash.hpp"
#include "assembly/oci/index_file.hpp"
#include "assembly/oci/layout.hpp"
#include "foundation/sys/environment.hpp"
#include "foundation/sys/files.hpp"
#include "foundation/sys/workers.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <set>

namespace torchkiln::oci {

using base::Result;
namespace fs = std::filesystem;

namespace {

/// A temporary file this old belongs to nobody any more.
constexpr std::chrono::hours k_abandoned_after{1};

/// "blobs/sha256/... is missing" as a fault, from an Error of read_blob() or a parser.
LayoutFault fault_of(const base::Error& error, const fs::path& fallback) {
  return {error.where ? fs::path(error.where->file) : fallback, error.message};
}

void compare(const Image& image, const Manifest& manifest, const ImageConfig& config, const fs::path& config_path,
             std::vector<LayoutFault>& faults) {
  if (manifest.layers.size() != config.diff_ids.size())
    faults.push_back({config_path, "has " + std::to_string(config.diff_ids.size()) + " diff_ids for " +
                                       std::to_string(manifest.layers.size()) + " layers"});
  const auto& platform = image.descriptor.platform;
  if (platform && (platform->architecture != config.architecture || platform->os != config.os))
    faults.push_back({config_path, "is for " + config.os + "/" + config.architecture + ", index.json says " +
                                       platform->os + "/" + platform->architecture});
  if (const auto sound = check(config); !sound) faults.push_back({config_path, sound.error().message});
}

/// Digests that can be reached from an entry of index.json, the subjects of artifacts excepted.
Result<void> mark(const Layout& layout, const Descriptor& entry, unsigned depth, std::set<base::Digest>& reached) {
  reached.insert(entry.digest);
  if (is_index_type(entry.media_type)) {
    const auto file = layout.blob_path(entry.digest).string();
    if (depth == k_index_depth_limit)
      return base::fail_at(base::ErrorCode::input_invalid, base::Place{file}, "is an index inside too many others");
    TK_TRY(const auto index, layout.read_index(entry));
    for (const auto& inner : index.manifests) TK_CHECK(mark(layout, inner, depth + 1, reached));
    return {};
  }
  if (!is_manifest_type(entry.media_type)) return {};
  TK_TRY(const auto manifest, layout.read_manifest(entry));
  reached.insert(manifest.config.digest);
  for (const auto& blob : manifest.layers) reached.insert(blob.digest);
  return {};
}

/// Leaves only entries that are images, or artifacts about something that is left. Gives what they lead to.
Result<std::set<base::Digest>> drop_orphans(const Layout& layout, IndexFile& index) {
  std::set<base::Digest> reached;
  std::vector<std::pair<std::size_t, base::Digest>> artifacts;  // entry and its subject
  std::vector<bool> keep(index.entries.size(), true);
  for (std::size_t i = 0; i < index.entries.size(); ++i) {
    const auto& entry = index.entries[i].descriptor;
    if (is_manifest_type(entry.media_type)) {
      TK_TRY(const auto manifest, layout.read_manifest(entry));
      if (manifest.subject && !entry.annotations.contains(std::string(k_reference_name_key))) {
        artifacts.emplace_back(i, manifest.subject->digest);
        keep[i] = false;
        continue;
      }
    }
    TK_CHECK(mark(layout, entry, 0, reached));
  }
  // An artifact may be about an artifact, so this goes on until nothing more is found.
  for (bool found = true; found;) {
    found = false;
    for (const auto& [i, subject] : artifacts) {
      if (keep[i] || !reached.contains(subject)) continue;
      keep[i] = found = true;
      TK_CHECK(mark(layout, index.entries[i].descriptor, 0, reached));
    }
  }
  std::vector<IndexEntry> kept;
  for (std::size_t i = 0; i < keep.size(); ++i)
    if (keep[i]) kept.push_back(std::move(index.entries[i]));
  index.entries = std::move(kept);
  return reached;
}

bool is_abandoned(const fs::path& path) {
  std::error_code error;
  const auto written = fs::last_write_time(path, error);
  return !error && fs::file_time_type::clock::now() - written > k_abandoned_after;
}

Result<void> remove_file(const fs::path& path, Pruned& pruned) {
  const auto size_bytes = sys::size_of_file(path);
  if (!size_bytes) return {};  // a folder is nobody's blob
  std::error_code error;
  if (!fs::remove(path, error) && error) return base::fail(sys::file_error("remove", path, error.value()));
  ++pruned.files;
  pruned.size_bytes += *size_bytes;
  return {};
}

}  // namespace

Result<std::vector<LayoutFault>> Layout::check(const Image& image, CheckDepth depth,
                                               const std::function<void(std::uint64_t)>& on_bytes) const {
  std::vector<LayoutFault> faults;
  const auto manifest = read_manifest(image.descriptor);
  if (!manifest) return std::vector{fault_of(manifest.error(), blob_path(image.descriptor.digest))};
  const auto config_path = blob_path(manifest->config.digest);
  if (const auto config = read_config(*manifest))
    compare(image, *manifest, *config, config_path, faults);
  else
    faults.push_back(fault_of(config.error(), config_path));

  std::map<base::Digest, std::string> wrong;  // by layer digest, filled by the workers in any order
  std::mutex mutex;
  sys::Workers workers(sys::processor_count());
  for (const auto& layer : manifest->layers) {
    const auto path = blob_path(layer.digest);
    const auto size_bytes = sys::size_of_file(path);
    if (!size_bytes) {
      const std::lock_guard guard(mutex);
      wrong[layer.digest] = "is missing from the layout";
    } else if (*size_bytes != layer.size_bytes) {
      const std::lock_guard guard(mutex);
      wrong[layer.digest] =
          "has " + std::to_string(*size_bytes) + " bytes, not " + std::to_string(layer.size_bytes);
    } else if (depth == CheckDepth::every_byte) {
      const auto hash = [&wrong, &mutex, &on_bytes, path, digest = layer.digest]() -> Result<void> {
        TK_TRY(const auto actual, digest_of_file(path, on_bytes));
        if (actual == digest) return {};
        const std::lock_guard guard(mutex);
        wrong[digest] = "has the digest " + actual.to_string();
        return {};
      };
      workers.submit(hash, static_cast<std::int64_t>(layer.size_bytes));  // large ones first, for an even end
    }
  }
  TK_CHECK(workers.wait());
  for (const auto& layer : manifest->layers)
    if (const auto found = wrong.extract(layer.digest)) faults.push_back({blob_path(layer.digest), found.mapped()});
  return faults;
}

Result<Pruned> Layout::prune() const {
  // The index first: killed between, this leaves blobs that the next prune() takes, and no entry without its blobs.
  const auto drop = [this](IndexFile& index) -> Result<void> {
    TK_CHECK(drop_orphans(*this, index));
    return {};
  };
  TK_CHECK(change_index_file(m_directory, drop));
  TK_TRY(const auto lock, lock_layout(m_directory));
  TK_TRY(auto index, read_index_file(m_directory));
  TK_TRY(const auto reached, drop_orphans(*this, index));
  Pruned pruned;
  const auto blobs = m_directory / "blobs" / "sha256";
  TK_TRY(const auto blob_names, sys::list_directory(blobs));
  for (const auto& name : blob_names) {
    const auto digest = base::Digest::parse(name);
    const bool is_left_over =
        digest ? !reached.contains(*digest) : name.starts_with('.') && is_abandoned(blobs / name);
    if (is_left_over) TK_CHECK(remove_file(blobs / name, pruned));
  }
  TK_TRY(const auto names, sys::list_directory(m_directory));
  for (const auto& name : names) {
    const bool is_temporary = name.starts_with(".index.json.") || name.starts_with(".manifest.json.");
    if (is_temporary && is_abandoned(m_directory / name)) TK_CHECK(remove_file(m_directory / name, pruned));
  }
  return pruned;
}

}  // namespace torchkiln::oci
