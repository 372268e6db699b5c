#pragma once
// Keys that sign stamps and check them: ECDSA P-256 with SHA-256, which cosign, notation and openssl all know, and
// Ed25519 for keys that somebody has already. Private keys are PEM PKCS#8, mode 0600, and those in cosign's own form
// are read; public keys PEM SPKI.

#include "foundation/base/error.hpp"

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

struct evp_pkey_st;

namespace torchkiln::stamp {

enum class KeyAlgorithm { ecdsa_p256, ed25519 };

/// The words that protect a private key. They come from a file or a file descriptor, never from an argument, which
/// every user of the machine can read in /proc. Wiped from memory at the end.
class Passphrase {
 public:
  /// The first line of the file.
  static base::Result<Passphrase> from_file(const std::filesystem::path& path);
  /// The first line that can be read from an open descriptor.
  static base::Result<Passphrase> from_descriptor(int fd);
  ~Passphrase();
  Passphrase(Passphrase&& other) noexcept;
  Passphrase& operator=(Passphrase&&) = delete;

  const std::string& reveal() const { return m_words; }

 private:
  explicit Passphrase(std::string words) : m_words(std::move(words)) {}
  std::string m_words;
};

class PublicKey {
 public:
  static base::Result<PublicKey> load(const std::filesystem::path& path);
  /// `file` is for messages.
  static base::Result<PublicKey> parse(std::string_view pem, const std::string& file);

  KeyAlgorithm algorithm() const;
  std::string to_pem() const;
  /// Base64 of the SHA-256 of the DER SPKI: what cosign writes as a bundle's key hint.
  std::string hint() const;
  /// Whether `signature` (for ECDSA the ASN.1 DER form, and only that) is this key's over `message`.
  bool has_signed(std::string_view message, std::string_view signature) const;

 private:
  friend class PrivateKey;
  explicit PublicKey(std::shared_ptr<evp_pkey_st> key) : m_key(std::move(key)) {}
  std::shared_ptr<evp_pkey_st> m_key;
};

class PrivateKey {
 public:
  /// A new P-256 key in `path`, which must not exist, and its public half in public_path(path). The file appears
  /// whole, mode 0600. Without a passphrase (nullptr) the file is not encrypted.
  static base::Result<PrivateKey> create(const std::filesystem::path& path, const Passphrase* passphrase);
  /// Refuses (input_invalid) a file that others than its owner may read or change.
  static base::Result<PrivateKey> load(const std::filesystem::path& path, const Passphrase* passphrase);
  /// The key in `path`, made if there is none.
  static base::Result<PrivateKey> load_or_create(const std::filesystem::path& path, const Passphrase* passphrase);

  PublicKey public_key() const { return PublicKey(m_key); }
  /// The signature of `message`: ASN.1 DER for ECDSA.
  base::Result<std::string> sign(std::string_view message) const;

 private:
  explicit PrivateKey(std::shared_ptr<evp_pkey_st> key) : m_key(std::move(key)) {}
  std::shared_ptr<evp_pkey_st> m_key;
};

/// Where the public half of the key in `path` lies: the same name, ending in .pub.
std::filesystem::path public_path(const std::filesystem::path& path);

}  // namespace torchkiln::stamp
