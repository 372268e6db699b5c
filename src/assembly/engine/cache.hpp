#pragma once
// torchkiln's cache folder: what was downloaded, what was made of it, and what was unpacked. Everything in it can
// be made again; nothing in it is trusted beyond its digest.

#include "assembly/layer/catalog.hpp"
#include "assembly/runtime/runtime.hpp"
#include "assembly/runtime/unpack_store.hpp"
#include "foundation/base/error.hpp"
#include "foundation/sys/blob_store.hpp"
#include "foundation/sys/files.hpp"

#include <filesystem>
#include <functional>
#include <optional>
#include <string_view>

namespace torchkiln::engine {

class Cache {
 public:
  /// `self_program`: our own program, which the unpack store and the runner start again
  /// (assembly/runtime/inner.hpp). `shipped_catalogs`: the folder of layer catalogs that came with torchkiln.
  Cache(std::filesystem::path root, std::filesystem::path self_program, std::filesystem::path shipped_catalogs = {})
      : m_root(std::move(root)),
        m_self_program(std::move(self_program)),
        m_blobs(m_root / "blobs"),
        m_catalog(m_root / "layers", std::move(shipped_catalogs)),
        m_unpacked(m_root / "unpacked", m_self_program) {}

  /// $TORCHKILN_CACHE, else torchkiln's folder below $XDG_CACHE_HOME or ~/.cache.
  static std::filesystem::path default_root();

  /// Makes the folder. Refused when it belongs to another user or others may write to it: what lies in it is run.
  base::Result<void> prepare() const;
  /// One process at a time fills the cache; `on_wait` is told the other's process id. What an earlier one that was
  /// killed left behind is removed, but for downloads that can be resumed.
  base::Result<sys::FileLock> lock(const std::function<void(std::string_view)>& on_wait) const;

  const std::filesystem::path& root() const { return m_root; }
  std::filesystem::path work() const { return m_root / "work"; }
  const sys::BlobStore& blobs() const { return m_blobs; }
  const layer::LayerCatalog& catalog() const { return m_catalog; }
  const runtime::UnpackStore& unpacked() const { return m_unpacked; }
  runtime::Runner runner() const { return runtime::Runner(m_self_program, work()); }

 private:
  std::filesystem::path m_root;
  std::filesystem::path m_self_program;
  sys::BlobStore m_blobs;
  layer::LayerCatalog m_catalog;
  runtime::UnpackStore m_unpacked;
};

}  // namespace torchkiln::engine
