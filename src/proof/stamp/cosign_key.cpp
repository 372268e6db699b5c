#include "proof/stamp/cosign_key.hpp"

#include "foundation/base/text.hpp"
#include "foundation/document/json.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sodium.h>

namespace torchkiln::stamp {

using base::ErrorCode;
using base::fail_at;
using base::Result;
using document::JsonValue;

namespace {

constexpr std::string_view k_headers[] = {"-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----",
                                          "-----BEGIN ENCRYPTED COSIGN PRIVATE KEY-----"};
/// cosign takes N = 2^15 or 2^16, r = 8, p = 1: 64 MiB.
constexpr std::uint64_t k_memory_limit_bytes = 1ULL << 30;
constexpr std::int64_t k_parallel_limit = 16;

/// Base64 in the member of an object.
Result<std::string> bytes_of(const JsonValue& object, std::string_view key) {
  TK_TRY(const auto member, object.member(key));
  TK_TRY(const auto text, member.text());
  auto bytes = base::from_base64(text);
  if (!bytes) return member.wrong("is no base64");
  return std::move(*bytes);
}

Result<void> expect_name(const JsonValue& object, std::string_view wanted) {
  TK_TRY(const auto member, object.member("name"));
  TK_TRY(const auto name, member.text());
  if (name != wanted) return member.wrong("is \"" + name + "\", not \"" + std::string(wanted) + "\"");
  return {};
}

/// What the words give by scrypt (RFC 7914), as the document says.
Result<std::string> derive(const JsonValue& document, std::string_view words) {
  TK_TRY(const auto kdf, document.member("kdf"));
  TK_CHECK(expect_name(kdf, "scrypt"));
  TK_TRY(const auto parameters, kdf.member("params"));
  std::int64_t cost[3] = {};
  for (std::size_t i = 0; i < 3; ++i) {
    constexpr const char* k_names[] = {"N", "r", "p"};
    TK_TRY(const auto member, parameters.member(k_names[i]));
    TK_TRY(cost[i], member.integer());
    if (cost[i] < 1 || cost[i] > (std::int64_t{1} << 24)) return member.wrong("is no cost that is borne here");
  }
  const auto [n, r, p] = cost;
  if (128 * static_cast<std::uint64_t>(n) * static_cast<std::uint64_t>(r) > k_memory_limit_bytes || p > k_parallel_limit)
    return parameters.wrong("ask for more than a gibibyte of memory");
  TK_TRY(const auto salt, bytes_of(kdf, "salt"));
  std::string key(crypto_secretbox_KEYBYTES, '\0');
  const int done =
      EVP_PBE_scrypt(words.data(), words.size(), reinterpret_cast<const unsigned char*>(salt.data()), salt.size(),
                     static_cast<std::uint64_t>(n), static_cast<std::uint64_t>(r), static_cast<std::uint64_t>(p),
                     2 * k_memory_limit_bytes, reinterpret_cast<unsigned char*>(key.data()), key.size());
  if (done != 1) return parameters.wrong("are no costs of scrypt");
  return key;
}

}  // namespace

bool is_cosign_key(std::string_view pem) {
  for (const auto header : k_headers)
    if (pem.find(header) != std::string_view::npos) return true;
  return false;
}

Result<std::string> open_cosign_key(std::string_view pem, std::string_view words, const std::string& file) {
  const base::Place place{file};
  const auto begin = pem.find('\n'), end = pem.find("-----END ");
  if (begin == std::string_view::npos || end == std::string_view::npos || end < begin)
    return fail_at(ErrorCode::input_invalid, place, "is cut");
  std::string body;
  for (const char c : pem.substr(begin, end - begin))
    if (c != '\n' && c != '\r') body += c;
  const auto text = base::from_base64(body);
  if (!text) return fail_at(ErrorCode::input_invalid, place, "is no PEM");
  TK_TRY(const auto document, JsonValue::parse(*text, file, {.size_bytes = 16U << 10, .depth = 4}));
  TK_TRY(const auto cipher, document.member("cipher"));
  TK_CHECK(expect_name(cipher, "nacl/secretbox"));
  TK_TRY(const auto nonce, bytes_of(cipher, "nonce"));
  TK_TRY(const auto sealed, bytes_of(document, "ciphertext"));
  if (nonce.size() != crypto_secretbox_NONCEBYTES || sealed.size() < crypto_secretbox_MACBYTES)
    return fail_at(ErrorCode::input_invalid, place, "is cut");
  TK_TRY(auto key, derive(document, words));
  std::string opened(sealed.size() - crypto_secretbox_MACBYTES, '\0');
  const int failed = crypto_secretbox_open_easy(reinterpret_cast<unsigned char*>(opened.data()),
                                                reinterpret_cast<const unsigned char*>(sealed.data()), sealed.size(),
                                                reinterpret_cast<const unsigned char*>(nonce.data()),
                                                reinterpret_cast<const unsigned char*>(key.data()));
  OPENSSL_cleanse(key.data(), key.size());
  if (failed != 0) return fail_at(ErrorCode::input_invalid, place, "does not open with this passphrase");
  return opened;
}

}  // namespace torchkiln::stamp
