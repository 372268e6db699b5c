#pragma once
// Stamps on an image of a layout. A stamp is a referrer manifest of the image, so the image's own digest never
// changes, and stamps of several hosts add up.

#include "assembly/oci/layout.hpp"
#include "foundation/base/error.hpp"
#include "proof/report/statement.hpp"
#include "proof/stamp/envelope.hpp"
#include "proof/stamp/key.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace torchkiln::stamp {

struct StampRequest {
  std::string_view report;  ///< torchkiln.report/1, the very bytes
  std::string report_file;  ///< for messages
  /// Where the envelope goes as a line too; empty: statements_path(layout).
  std::filesystem::path statements = {};
  /// Seconds since the run finished for which the stamp is good; without it, it has no end.
  std::optional<std::int64_t> valid_for_s = std::nullopt;
};

struct Stamp {
  oci::Descriptor referrer;
  Envelope envelope;
};

/// Signs what the report says about `image` and attaches it. A failed run is signed as failed. Refused
/// (input_invalid): a report about another digest, or a tag that has moved since `image` was found. The same report
/// signed by the same key again gives the stamp that is there.
base::Result<Stamp> attach(const oci::Layout& layout, const oci::Image& image, const StampRequest& request,
                           const PrivateKey& key);

/// Signs any other statement about the image and attaches it; once, however often it is asked for. `statements` as
/// in StampRequest.
base::Result<Stamp> attach_statement(const oci::Layout& layout, const oci::Image& image, const report::Statement& statement,
                                     const PrivateKey& key, const std::filesystem::path& statements = {});
/// The verification summary of the report that attach() signed.
base::Result<report::Statement> summary_of(const StampRequest& request);

/// NAME.intoto.jsonl beside the layout's folder NAME.
std::filesystem::path statements_path(const oci::Layout& layout);

}  // namespace torchkiln::stamp
