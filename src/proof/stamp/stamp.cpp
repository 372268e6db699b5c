#include "proof/stamp/stamp.hpp"

#include "assembly/oci/index_file.hpp"
#include "foundation/base/text.hpp"
#include "foundation/sys/files.hpp"
#include "proof/stamp/signed_statement.hpp"
#include "proof/stamp/statement.hpp"

#include <algorithm>

namespace torchkiln::stamp {

using namespace report;

using base::ErrorCode;
using base::fail;
using base::Result;
namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t k_statements_limit_bytes = 64U << 20;
/// What makes `cosign verify-attestation --local-image` take an entry of index.json for the image
/// (sigstore/cosign pkg/cosign/verify.go, getLocalBundleDescriptors).
constexpr const char* k_kind_key = "kind";
constexpr const char* k_cosign_image_kind = "dev.cosignproject.cosign/image";

/// That the report is about this image, and that the image's tag has not been moved to another since.
Result<void> expect_same_image(const oci::Layout& layout, const oci::Image& image, const TestRun& run,
                               const std::string& report_file) {
  const auto& digest = image.descriptor.digest;
  if (run.image != digest)
    return fail(ErrorCode::input_invalid,
                report_file + " is about " + run.image.to_string() + ", the image is " + digest.to_string(),
                {"verify this image and stamp it with the report that comes out"});
  if (!image.tag.empty()) {
    TK_TRY(const auto now, layout.find_image(image.tag));
    if (now.descriptor.digest != digest)
      return fail(ErrorCode::input_invalid,
                  "the tag " + image.tag + " has moved from " + digest.to_string() + " to " +
                      now.descriptor.digest.to_string() + " since the image was looked up",
                  {"verify what it names now and stamp that"});
  }
  TK_CHECK(layout.read_manifest(image.descriptor));
  return {};
}

/// The stamp by which the same key said the same already. ECDSA signs differently each time, so a second stamp
/// would not be recognised as the same by its digest.
Result<std::optional<Stamp>> find_equal(const oci::Layout& layout, const oci::Image& image,
                                        const std::string& statement, const PublicKey& key) {
  TK_TRY(const auto list, list_bundles(layout, image));
  for (const auto& referrer : list.bundles) {
    auto bundle = read_bundle(layout, referrer);
    if (!bundle || bundle->envelope.payload != statement || bundle->envelope.signatures.size() != 1) continue;
    const auto& envelope = bundle->envelope;
    if (key.has_signed(signed_bytes(envelope.payload_type, statement), envelope.signatures.front().bytes))
      return std::optional(Stamp{referrer, envelope});
  }
  return std::optional<Stamp>();
}

Result<void> add_line(const oci::Layout& layout, const fs::path& path, const Envelope& envelope) {
  TK_TRY(const auto line, to_bytes(envelope));
  TK_TRY(const auto lock, oci::lock_layout(layout.directory()));
  std::string text;
  if (sys::size_of_file(path)) {
    TK_TRY(text, sys::read_file(path, k_statements_limit_bytes));
    const auto present = base::lines(text);
    if (std::find(present.begin(), present.end(), line) != present.end()) return {};
    if (!text.empty() && !text.ends_with('\n')) text += '\n';
  }
  return sys::write_file(path, text + line + "\n");
}

}  // namespace

fs::path statements_path(const oci::Layout& layout) {
  // Absolute first: "." and "layout/" have no name of their own.
  auto folder = fs::absolute(layout.directory()).lexically_normal();
  if (!folder.has_filename()) folder = folder.parent_path();
  return folder.replace_filename(folder.filename().string() + ".intoto.jsonl");
}

Result<Stamp> attach(const oci::Layout& layout, const oci::Image& image, const StampRequest& request,
                     const PrivateKey& key) {
  TK_TRY(const auto run, parse_report(request.report, request.report_file));
  TK_CHECK(expect_same_image(layout, image, run, request.report_file));
  const auto valid_until_s =
      request.valid_for_s ? std::optional(run.finished_s + *request.valid_for_s) : std::nullopt;
  TK_TRY(auto statement, to_statement(run, valid_until_s));
  return attach_statement(layout, image, {std::string(k_test_result_type), std::move(statement), run.finished_s}, key,
                          request.statements);
}

Result<Statement> summary_of(const StampRequest& request) {
  TK_TRY(const auto run, parse_report(request.report, request.report_file));
  TK_TRY(auto bytes, to_summary(run));
  return Statement{std::string(k_summary_type), std::move(bytes), run.finished_s};
}

Result<Stamp> attach_statement(const oci::Layout& layout, const oci::Image& image, const Statement& statement,
                               const PrivateKey& key, const fs::path& statements) {
  const auto lines = statements.empty() ? statements_path(layout) : statements;
  const auto public_key = key.public_key();
  TK_TRY(const auto present, find_equal(layout, image, statement.bytes, public_key));
  if (present) {
    TK_CHECK(add_line(layout, lines, present->envelope));
    return *present;
  }
  TK_TRY(const auto envelope, seal(statement.bytes, key));
  TK_TRY(const auto bundle, to_bundle(envelope, public_key.hint()));
  // What nobody could read again is not attached.
  TK_CHECK(parse_bundle(bundle, "the bundle of " + statement.predicate_type));
  TK_TRY(const auto blob, layout.add_bytes(bundle, k_bundle_type));
  // The annotations that cosign writes. The time is the statement's, so that nothing depends on when it was attached.
  const auto manifest =
      oci::artifact_about(image.descriptor, std::string(k_bundle_type), {blob},
                          {{k_content_key, "dsse-envelope"},
                           {k_predicate_type_key, statement.predicate_type},
                           {"org.opencontainers.image.created", base::format_time(statement.made_s)}});
  TK_TRY(const auto referrer, layout.put_referrer(manifest));
  TK_CHECK(layout.annotate_image(image.descriptor.digest, {{k_kind_key, k_cosign_image_kind}}));
  TK_CHECK(add_line(layout, lines, envelope));
  return Stamp{referrer, envelope};
}

}  // namespace torchkiln::stamp
