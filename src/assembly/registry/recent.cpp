#include "assembly/registry/recent.hpp"

#include "assembly/oci/reference.hpp"
#include "foundation/base/text.hpp"
#include "foundation/sys/files.hpp"

namespace torchkiln::registry {

using base::Result;
namespace fs = std::filesystem;

std::vector<std::string> recent_repositories(const fs::path& folder, const std::string& host) {
  std::vector<std::string> recent;
  const auto text = sys::read_file(folder / host);
  if (!text) return recent;
  for (const auto line : base::lines(*text)) {
    const auto parsed = oci::parse_repository(host + "/" + std::string(line));
    if (parsed && parsed->repository == line && recent.size() < k_recent_repositories) recent.emplace_back(line);
  }
  return recent;
}

Result<void> note_repository(const fs::path& folder, const std::string& host, const std::string& repository) {
  std::string text = repository + "\n";
  std::size_t kept = 1;
  for (const auto& one : recent_repositories(folder, host))
    if (one != repository && kept < k_recent_repositories) {
      text += one + "\n";
      ++kept;
    }
  TK_CHECK(sys::make_directories(folder));
  return sys::write_file(folder / host, text);
}

}  // namespace torchkiln::registry
