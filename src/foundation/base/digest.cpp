#include "foundation/base/digest.hpp"

#include "foundation/base/text.hpp"

#include <openssl/evp.h>

namespace torchkiln::base {

struct Sha256::Context {
  EVP_MD_CTX* md = EVP_MD_CTX_new();
  ~Context() { EVP_MD_CTX_free(md); }
};

Sha256::Sha256() : m_context(std::make_unique<Context>()) {
  TK_ASSERT(m_context->md && EVP_DigestInit_ex(m_context->md, EVP_sha256(), nullptr) == 1, "libcrypto has SHA-256");
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(std::span<const std::byte> bytes) {
  EVP_DigestUpdate(m_context->md, bytes.data(), bytes.size());
}
void Sha256::update(std::string_view bytes) {
  EVP_DigestUpdate(m_context->md, bytes.data(), bytes.size());
}

Digest Sha256::finish() {
  Digest digest;
  unsigned length = 0;
  EVP_DigestFinal_ex(m_context->md, digest.m_bytes.data(), &length);
  TK_ASSERT(length == digest.m_bytes.size(), "SHA-256 has 32 bytes");
  return digest;
}

Digest Digest::of(std::string_view bytes) {
  Sha256 hasher;
  hasher.update(bytes);
  return hasher.finish();
}

Result<Digest> Digest::parse(std::string_view text) {
  std::string_view hex = text;
  if (hex.starts_with("sha256:")) hex.remove_prefix(7);
  Digest digest;
  auto nibble = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; };
  if (hex.size() != 64) return fail(ErrorCode::input_invalid, "'" + std::string(text) + "' is no SHA-256 digest");
  for (std::size_t i = 0; i < 32; ++i) {
    const int high = nibble(hex[2 * i]), low = nibble(hex[2 * i + 1]);
    if (high < 0 || low < 0)
      return fail(ErrorCode::input_invalid, "'" + std::string(text) + "' is no SHA-256 digest");
    digest.m_bytes[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return digest;
}

std::string Digest::hex() const {
  return to_hex(std::string_view(reinterpret_cast<const char*>(m_bytes.data()), m_bytes.size()));
}

std::string Digest::base64url() const {
  std::string text = to_base64(std::string_view(reinterpret_cast<const char*>(m_bytes.data()), m_bytes.size()));
  for (char& c : text) c = c == '+' ? '-' : c == '/' ? '_' : c;
  while (!text.empty() && text.back() == '=') text.pop_back();
  return text;
}

}  // namespace torchkiln::base
