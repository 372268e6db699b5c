#pragma once
// What in-toto calls a statement: something said about an image, by its digest (in-toto attestation,
// spec/v1/statement.md).

#include "foundation/base/digest.hpp"
#include "foundation/base/error.hpp"
#include "foundation/document/json.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace torchkiln::report {

inline constexpr std::string_view k_statement_type = "https://in-toto.io/Statement/v1";

/// A Statement v1 about an image, ready to be signed.
struct Statement {
  std::string predicate_type;
  std::string bytes;
  std::int64_t made_s = 0;  ///< since 1970: the time of what it tells, not of the signing
};

/// The bytes of a Statement v1 whose one subject is the image; its name may be empty.
base::Result<std::string> statement_about(const std::string& image_name, const base::Digest& image,
                                          std::string_view predicate_type, document::Json predicate);

}  // namespace torchkiln::report
