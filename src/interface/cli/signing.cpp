#include "interface/cli/signing.hpp"

#include "foundation/sys/files.hpp"
#include "interface/cli/steps.hpp"
#include "proof/sbom/inventory.hpp"
#include "proof/sbom/statement.hpp"

namespace torchkiln::cli {

using base::Result;

Result<stamp::Stamp> sign(const oci::Layout& layout, const oci::Image& image, const stamp::StampRequest& request,
                          const lock::Lock* lock, Documents documents, const stamp::PrivateKey& key,
                          Session& session) {
  TK_TRY(auto stamp, stamp::attach(layout, image, request, key));
  TK_TRY(const auto summary, stamp::summary_of(request));
  TK_CHECK(stamp::attach_statement(layout, image, summary, key, request.statements));
  if (documents == Documents::left_out) return stamp;
  TK_TRY(const auto inventory, sbom::take_inventory(layout, image, lock, session.cache(), session.progress()));
  TK_TRY(const auto statements, sbom::statements_of(inventory, lock, TORCHKILN_VERSION));
  for (const auto& statement : statements)
    TK_CHECK(stamp::attach_statement(layout, image, statement, key, request.statements));
  return stamp;
}

Result<std::optional<lock::Lock>> find_lock(const std::string& file, const OpenedImage& opened, Session& session) {
  constexpr const char* k_lock_file = "kiln.lock";
  if (!file.empty()) {
    TK_TRY(auto lock, read_lock(file));
    return std::optional(std::move(lock));
  }
  if (sys::size_of_file(k_lock_file)) {
    TK_TRY(const auto manifest, opened.layout.read_manifest(opened.image.descriptor));
    TK_TRY(const auto config, opened.layout.read_config(manifest));
    TK_TRY(auto lock, read_lock(k_lock_file));
    if (sbom::is_made_from(config, lock)) return std::optional(std::move(lock));
  }
  session.progress().warn(
      "without the image's lock, digests and addresses of its packages are not known; --lock names it");
  return std::optional<lock::Lock>();
}

}  // namespace torchkiln::cli
