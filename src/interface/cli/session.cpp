#include "interface/cli/session.hpp"

#include "foundation/sys/environment.hpp"
#include "knowledge/matrix/proofs.hpp"

namespace torchkiln::cli {

using base::ErrorCode;
using base::fail;
using base::Result;
namespace fs = std::filesystem;

namespace {

sys::HttpLimits limits_of(const CommonOptions& options) {
  sys::HttpLimits limits;
  limits.access = options.network;
  return limits;
}

registry::Access access_of(const CommonOptions& options) {
  registry::Access access{.limits = limits_of(options)};
  access.plain_http.insert(options.plain_http.begin(), options.plain_http.end());
  for (const auto& mirror : options.registry_mirrors) {
    const auto equals = mirror.find('=');
    access.mirrors.emplace(mirror.substr(0, equals), mirror.substr(equals + 1));
  }
  return access;
}

std::optional<fs::path> find_data_folder(const std::string& name) {
  std::vector<fs::path> candidates;
  if (const auto data = sys::environment("TORCHKILN_DATA")) candidates.emplace_back(fs::path(*data) / name);
  candidates.emplace_back(sys::executable_path().parent_path().parent_path() / "share/torchkiln" / name);
  candidates.emplace_back(fs::path(TORCHKILN_SOURCE_DIR) / name);
  std::error_code error;
  for (const auto& candidate : candidates)
    if (fs::is_directory(candidate, error)) return candidate;
  return std::nullopt;
}

/// The layer catalogs that come with the matrix; none are no reason to fail.
fs::path shipped_catalogs(const CommonOptions& options) {
  if (!options.manifests.empty()) return fs::path(options.manifests) / "layers";
  const auto manifests = find_data_folder("manifests");
  return manifests ? *manifests / "layers" : fs::path();
}

}  // namespace

fs::path configuration_folder() {
  const auto configuration =
      sys::environment("XDG_CONFIG_HOME").value_or((sys::home_directory() / ".config").string());
  return fs::path(configuration) / "torchkiln";
}

Session::Session(CommonOptions options)
    : m_options(std::move(options)),
      m_progress(std::make_unique<console::ConsoleProgress>(m_options.view)),
      m_cache(m_options.cache.empty() ? engine::Cache::default_root() : fs::absolute(m_options.cache),
              sys::executable_path(), shipped_catalogs(m_options)),
      m_http(limits_of(m_options)),
      m_registries(access_of(m_options)) {}

void Session::print(const std::string& text, const std::string& json) {
  m_progress->clear();
  console::print_result(is_json() ? json : text);
}

Result<void> Session::print(const std::string& text, const document::Json& json) {
  TK_TRY(const auto bytes, document::to_bytes(json));
  print(text, bytes + "\n");
  return {};
}

Result<fs::path> Session::data_folder(const std::string& name) const {
  if (auto folder = find_data_folder(name)) return std::move(*folder);
  return fail(ErrorCode::file_failed, "torchkiln's own folder '" + name + "' is missing",
              {"install torchkiln whole, or name the folder that holds it in TORCHKILN_DATA"});
}

Result<fs::path> Session::manifests() const {
  if (!m_options.manifests.empty()) return fs::path(m_options.manifests);
  return data_folder("manifests");
}

Result<matrix::Matrix> Session::load_matrix() const {
  TK_TRY(const auto folder, manifests());
  TK_TRY(auto matrix, matrix::load(folder));
  const auto own = proofs_file();
  std::error_code error;
  if (m_options.manifests.empty() && fs::exists(own, error)) TK_CHECK(matrix::load_proofs(own, matrix));
  return matrix;
}

fs::path Session::proofs_file() const {
  return (m_options.manifests.empty() ? configuration_folder() : fs::path(m_options.manifests)) /
         matrix::k_proofs_file;
}

Result<fs::path> Session::uv() const {
  std::error_code error;
  if (const auto named = sys::environment("TORCHKILN_UV")) return fs::path(*named);
  const auto ours = fs::path(TORCHKILN_SOURCE_DIR) / ".tools/bin/uv";
  if (fs::exists(ours, error)) return ours;
  if (const auto found = sys::find_program("uv")) return *found;
  return fail(ErrorCode::tool_missing, "uv is not installed",
              {"scripts/setup installs it; or 'pip install uv', or name it in TORCHKILN_UV"});
}

Result<void> Session::take_cache() {
  if (m_cache_lock) return {};
  TK_CHECK(m_cache.prepare());
  TK_TRY(auto lock, m_cache.lock([&](std::string_view holder) {
    m_progress->warn("another torchkiln" +
                     (holder.empty() ? std::string() : " (process " + std::string(holder) + ")") +
                     " uses the cache " + m_cache.root().string() + "; waiting for it");
  }));
  m_cache_lock.emplace(std::move(lock));
  return {};
}

}  // namespace torchkiln::cli
