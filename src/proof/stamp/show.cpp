#include "proof/stamp/show.hpp"

#include "foundation/document/json.hpp"

#include <algorithm>

namespace torchkiln::stamp {

using base::Result;

namespace {

/// Whether the statement's one subject is the digest. Statements of other kinds than ours need no more.
bool is_about(const std::string& payload, const base::Digest& digest) {
  const auto statement = document::JsonValue::parse(payload, "statement", k_bundle_limits);
  if (!statement) return false;
  const auto subjects = statement->member("subject");
  const auto items = subjects ? subjects->items() : Result<std::vector<document::JsonValue>>();
  if (!items || items->size() != 1) return false;
  const auto digests = items->front().member("digest");
  const auto sha256 = digests ? digests->text_or_empty("sha256") : Result<std::string>();
  return sha256 && *sha256 == digest.hex();
}

}  // namespace

Result<Shown> show(const oci::Layout& layout, const oci::Image& image, const std::vector<PublicKey>& trusted,
                   std::int64_t now_s) {
  TK_TRY(auto list, list_bundles(layout, image));
  const auto& digest = image.descriptor.digest;
  Shown shown;
  shown.refusals = std::move(list.unreadable);
  for (const auto& referrer : list.bundles) {
    const auto refuse = [&](RefusalReason reason, std::string text, std::string remedy) {
      shown.refusals.push_back({referrer.digest, reason, std::move(text), std::move(remedy)});
    };
    auto read = read_signed(layout, referrer, trusted);
    if (auto* refusal = std::get_if<Refusal>(&read)) {
      shown.refusals.push_back(std::move(*refusal));
      continue;
    }
    auto& statement = std::get<SignedStatement>(read);
    if (!is_about(statement.payload, digest)) {
      refuse(RefusalReason::wrong_image, "it is not about this image alone", "stamp " + digest.to_string());
    } else if (statement.predicate_type != k_test_result_type) {
      shown.statements.push_back({statement.stamp, std::move(statement.key_hint), statement.predicate_type});
    } else if (auto result = parse_statement(statement.payload, "the statement in " + referrer.digest.to_string())) {
      const bool is_expired = result->valid_until_s && now_s > *result->valid_until_s;
      shown.runs.push_back({statement.stamp, std::move(statement.key_hint), std::move(*result), is_expired});
    } else {
      refuse(RefusalReason::unreadable, result.error().message, "stamp the image again");
    }
  }
  std::stable_sort(shown.runs.begin(), shown.runs.end(), [](const ShownRun& a, const ShownRun& b) {
    return a.result.run.finished_s > b.result.run.finished_s;
  });
  return shown;
}

}  // namespace torchkiln::stamp
