#pragma once
// Private keys in cosign's own form, "ENCRYPTED SIGSTORE PRIVATE KEY": a PEM block with JSON in it, encrypted by scrypt and
// NaCl's secretbox (sigstore/cosign specs/SIGNATURE_SPEC.md; secure-systems-lab/go-securesystemslib, encrypted). It is what
// `cosign generate-key-pair` and `cosign import-key-pair` write. Internal to the room.

#include "foundation/base/error.hpp"

#include <string>
#include <string_view>

namespace torchkiln::stamp {

/// Whether it says that it is such a key.
bool is_cosign_key(std::string_view pem);

/// The key in it: DER PKCS#8, to be wiped by who calls. `file` is for messages. input_invalid for what is no such key, asks
/// for more work than a gibibyte of memory, or does not open with these words.
base::Result<std::string> open_cosign_key(std::string_view pem, std::string_view words, const std::string& file);

}  // namespace torchkiln::stamp
