// SHA-256 (FIPS 180-4), written out because the image need not have a crypto library. Used on a few bytes only.
#pragma once

#include <string>

namespace torchkiln::verifier {

std::string sha256_hex(std::string bytes);

}  // namespace torchkiln::verifier
