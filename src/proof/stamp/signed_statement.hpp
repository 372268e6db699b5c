#pragma once
// Reading what lies beside an image as a signed statement: the bundle's bytes, its envelope and the signature, and
// nothing of the payload before a key that the reader trusts has signed it.

#include "assembly/oci/layout.hpp"
#include "foundation/base/digest.hpp"
#include "proof/stamp/envelope.hpp"
#include "proof/stamp/key.hpp"

#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace torchkiln::stamp {

/// Why a stamp does not count.
enum class RefusalReason {
  unreadable,       ///< no bundle, no statement, over a limit, or bytes that have another digest
  wrong_signature,  ///< no key of the policy signed it, or it was changed since
  wrong_kind,       ///< another payload or predicate type
  wrong_image,      ///< a statement about another digest
  failed,           ///< the tests failed
  level_too_low,
  too_old,
  expired,  ///< past the end that its signer gave it
  in_the_future,
  driver_too_old,
  wrong_lock,
  wrong_gpu,
};
/// "wrong-signature"
std::string_view name(RefusalReason reason);

struct Refusal {
  base::Digest stamp;  ///< of the referrer manifest
  RefusalReason reason;
  std::string text;    ///< what is the matter, with found and wanted values
  std::string remedy;  ///< what would satisfy the policy
};

/// An error as a refusal tells it: its place and what is wrong.
std::string words_of(const base::Error& error);

/// A payload that one of the trusted keys signed, of a predicate type that it says itself.
struct SignedStatement {
  base::Digest stamp;    ///< of the referrer manifest
  std::string key_hint;  ///< of the key that signed it
  std::string predicate_type;
  std::string payload;
};

/// The statement in a bundle that refers to an image, or why it is none.
std::variant<SignedStatement, Refusal> read_signed(const oci::Layout& layout, const oci::Descriptor& referrer,
                                                   const std::vector<PublicKey>& trusted);

/// A bundle about an image, whoever signed it; nothing of it is checked but its form.
base::Result<Bundle> read_bundle(const oci::Layout& layout, const oci::Descriptor& referrer);

/// The most stamps of one image that are looked at.
inline constexpr std::size_t k_stamp_limit = 1'000;
/// The bundles about an image, in the layout's order, and what could not be read of the layout's list. An Error
/// when there are more than k_stamp_limit, or the image's own manifest is not what its digest says.
struct BundleList {
  std::vector<oci::Descriptor> bundles;
  std::vector<Refusal> unreadable;
};
base::Result<BundleList> list_bundles(const oci::Layout& layout, const oci::Image& image);

/// What a bundle's manifest says that it is about, which nobody signed; empty where it says nothing.
std::string claimed_predicate_type(const oci::Descriptor& referrer);

}  // namespace torchkiln::stamp
