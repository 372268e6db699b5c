#include "proof/stamp/key.hpp"

#include "foundation/base/digest.hpp"
#include "foundation/base/text.hpp"
#include "foundation/sys/files.hpp"
#include "proof/stamp/cosign_key.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>

namespace torchkiln::stamp {

using base::ErrorCode;
using base::fail;
using base::fail_at;
using base::Result;
namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t k_key_file_limit_bytes = 64U << 10;
constexpr std::size_t k_passphrase_limit_bytes = 1024;
/// Rounds of PBKDF2-HMAC-SHA256 that make guessing a passphrase slow (OWASP Password Storage Cheat Sheet).
constexpr int k_passphrase_rounds = 600'000;

struct Free {
  void operator()(BIO* bio) const { BIO_free_all(bio); }
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  void operator()(PKCS8_PRIV_KEY_INFO* info) const { PKCS8_PRIV_KEY_INFO_free(info); }
  void operator()(X509_SIG* encrypted) const { X509_SIG_free(encrypted); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

/// Text that is wiped when it goes.
struct Secret {
  std::string text;
  Secret() = default;
  explicit Secret(std::string secret) : text(std::move(secret)) {}
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret() { OPENSSL_cleanse(text.data(), text.size()); }
};

/// An Error of libcrypto's doing, with what it says.
base::Unexpected crypto_failed(std::string what) {
  const auto code = ERR_get_error();
  char text[256] = "";
  if (code != 0) ERR_error_string_n(code, text, sizeof text);
  ERR_clear_error();
  return base::fail(base::Error{ErrorCode::internal, std::move(what), std::nullopt, {text}, {}});
}

std::string content_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(size)};
}

std::shared_ptr<EVP_PKEY> share(EVP_PKEY* key) {
  return {key, EVP_PKEY_free};
}

/// The algorithm, where it is one of ours.
std::optional<KeyAlgorithm> algorithm_of(const EVP_PKEY* key) {
  if (EVP_PKEY_is_a(key, "ED25519")) return KeyAlgorithm::ed25519;
  char group[64] = "";
  std::size_t length = 0;
  if (EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_group_name(key, group, sizeof group, &length) == 1 &&
      OBJ_txt2nid(group) == NID_X9_62_prime256v1)
    return KeyAlgorithm::ecdsa_p256;
  return std::nullopt;
}

base::Unexpected other_algorithm(const std::string& file) {
  return fail_at(ErrorCode::input_invalid, base::Place{file}, "is neither an ECDSA P-256 nor an Ed25519 key",
                 {"openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 makes one that fits"});
}

/// What PEM asks for a passphrase. Never the terminal: a key in a pipeline must not wait for a person.
struct PassphraseSource {
  const Passphrase* passphrase;
  bool asked = false;
};

int give_passphrase(char* buffer, int size, int, void* data) {
  auto* source = static_cast<PassphraseSource*>(data);
  source->asked = true;
  if (!source->passphrase) return -1;
  const auto& words = source->passphrase->reveal();
  if (words.size() > static_cast<std::size_t>(size)) return -1;
  std::memcpy(buffer, words.data(), words.size());
  return static_cast<int>(words.size());
}

Result<std::string> to_private_pem(EVP_PKEY* key, const Passphrase* passphrase) {
  const Owned<BIO> bio(BIO_new(BIO_s_secmem()));
  const Owned<PKCS8_PRIV_KEY_INFO> info(EVP_PKEY2PKCS8(key));
  if (!bio || !info) return crypto_failed("cannot write a private key");
  if (!passphrase) {
    if (PEM_write_bio_PKCS8_PRIV_KEY_INFO(bio.get(), info.get()) != 1)
      return crypto_failed("cannot write a private key");
  } else {
    const auto& words = passphrase->reveal();
    const Owned<X509_SIG> encrypted(PKCS8_encrypt(-1, EVP_aes_256_cbc(), words.data(),
                                                  static_cast<int>(words.size()), nullptr, 0, k_passphrase_rounds,
                                                  info.get()));
    if (!encrypted || PEM_write_bio_PKCS8(bio.get(), encrypted.get()) != 1)
      return crypto_failed("cannot encrypt a private key");
  }
  return content_of(bio.get());
}

/// Writes a file that must not exist yet; it appears whole or not at all. False when there is one.
Result<bool> write_new_file(const fs::path& path, std::string_view bytes, unsigned mode) {
  TK_TRY(auto file, sys::AtomicFile::create(path, mode));
  TK_CHECK(file.write(bytes));
  if (::fsync(file.fd()) != 0) return fail(sys::file_error("write", path, errno));
  // Unlike rename(), link() never replaces; the temporary name goes with `file`.
  if (::link(file.temporary_path().c_str(), path.c_str()) != 0) {
    if (errno == EEXIST) return false;
    return fail(sys::file_error("write", path, errno));
  }
  TK_CHECK(sys::sync_directory(path.has_parent_path() ? path.parent_path() : fs::path(".")));
  return true;
}

Result<std::string> read_private_file(const fs::path& path) {
  TK_TRY(const auto file, sys::open_file(path, O_RDONLY | O_NONBLOCK));  // a FIFO would make open() wait
  struct stat status = {};
  if (::fstat(file.get(), &status) != 0) return fail(sys::file_error("read", path, errno));
  const base::Place place{path.string()};
  if (!S_ISREG(status.st_mode)) return fail_at(ErrorCode::input_invalid, place, "is no regular file");
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    return fail_at(ErrorCode::input_invalid, place,
                   "is a private key that others than its owner may read or change, so it proves nothing",
                   {"if it was never at risk: chmod 600 " + path.string(),
                    "if it may have been copied: make a new key and tell everybody its .pub"});
  return sys::read_file(path, k_key_file_limit_bytes);
}

/// cosign's keys are always encrypted; with the empty passphrase where somebody wanted none.
Result<std::shared_ptr<EVP_PKEY>> open_from_cosign(const std::string& pem, const Passphrase* passphrase,
                                                   const std::string& file) {
  auto der = open_cosign_key(pem, passphrase ? std::string_view(passphrase->reveal()) : std::string_view(), file);
  if (!der) {
    auto error = std::move(der).error();
    if (!passphrase) error.hints.emplace_back("say which file or descriptor holds the key's passphrase");
    return fail(std::move(error));
  }
  const Secret secret(std::move(*der));
  const auto* bytes = reinterpret_cast<const unsigned char*>(secret.text.data());
  auto key = share(d2i_AutoPrivateKey(nullptr, &bytes, static_cast<long>(secret.text.size())));
  ERR_clear_error();
  if (!key) return fail_at(ErrorCode::input_invalid, base::Place{file}, "has no private key in it");
  if (!algorithm_of(key.get())) return other_algorithm(file);
  return key;
}

}  // namespace

fs::path public_path(const fs::path& path) {
  return fs::path(path).replace_extension(".pub");
}

Result<Passphrase> Passphrase::from_descriptor(int fd) {
  Secret words;
  words.text.reserve(k_passphrase_limit_bytes);  // no reallocation, which would leave a copy behind
  for (;;) {
    char c = 0;
    const auto got = ::read(fd, &c, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0)
      return fail(ErrorCode::input_invalid, std::string("cannot read the passphrase: ") + std::strerror(errno));
    if (got == 0 || c == '\n') break;
    if (words.text.size() == k_passphrase_limit_bytes)
      return fail(ErrorCode::input_invalid,
                  "the passphrase is longer than " + std::to_string(k_passphrase_limit_bytes) + " bytes");
    words.text += c;
  }
  if (words.text.ends_with('\r')) words.text.pop_back();
  if (words.text.empty()) return fail(ErrorCode::input_invalid, "the passphrase is empty");
  return Passphrase(words.text);
}

Result<Passphrase> Passphrase::from_file(const fs::path& path) {
  TK_TRY(const auto file, sys::open_file(path, O_RDONLY));
  return from_descriptor(file.get());
}

Passphrase::Passphrase(Passphrase&& other) noexcept : m_words(other.m_words) {
  OPENSSL_cleanse(other.m_words.data(), other.m_words.size());
  other.m_words.clear();
}

Passphrase::~Passphrase() {
  OPENSSL_cleanse(m_words.data(), m_words.size());
}

Result<PublicKey> PublicKey::load(const fs::path& path) {
  TK_TRY(const auto pem, sys::read_file(path, k_key_file_limit_bytes));
  return parse(pem, path.string());
}

Result<PublicKey> PublicKey::parse(std::string_view pem, const std::string& file) {
  const base::Place place{file};
  if (pem.find("PRIVATE KEY-----") != std::string_view::npos)
    return fail_at(ErrorCode::input_invalid, place, "is a private key where a public key is wanted",
                   {"give the file that ends in .pub; a private key never leaves the machine that signs"});
  const Owned<BIO> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  auto key = share(PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  if (!key)
    return fail_at(ErrorCode::input_invalid, place, "is no public key in PEM form",
                   {"it should begin with -----BEGIN PUBLIC KEY-----"});
  if (!algorithm_of(key.get())) return other_algorithm(file);
  return PublicKey(std::move(key));
}

KeyAlgorithm PublicKey::algorithm() const {
  const auto algorithm = algorithm_of(m_key.get());
  TK_ASSERT(algorithm, "only keys of known algorithms are kept");
  return *algorithm;
}

std::string PublicKey::to_pem() const {
  const Owned<BIO> bio(BIO_new(BIO_s_mem()));
  TK_ASSERT(bio && PEM_write_bio_PUBKEY(bio.get(), m_key.get()) == 1, "libcrypto writes a key that it read");
  return content_of(bio.get());
}

std::string PublicKey::hint() const {
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(m_key.get(), &der);
  TK_ASSERT(size > 0, "libcrypto writes a key that it read");
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned digest_size = 0;
  const int done = EVP_Digest(der, static_cast<std::size_t>(size), digest, &digest_size, EVP_sha256(), nullptr);
  OPENSSL_free(der);
  TK_ASSERT(done == 1, "libcrypto has SHA-256");
  return base::to_base64({reinterpret_cast<const char*>(digest), digest_size});
}

bool PublicKey::has_signed(std::string_view message, std::string_view signature) const {
  const Owned<EVP_MD_CTX> context(EVP_MD_CTX_new());
  const auto* digest = algorithm() == KeyAlgorithm::ed25519 ? nullptr : EVP_sha256();
  const bool holds =
      context && EVP_DigestVerifyInit(context.get(), nullptr, digest, nullptr, m_key.get()) == 1 &&
      EVP_DigestVerify(context.get(), reinterpret_cast<const unsigned char*>(signature.data()), signature.size(),
                       reinterpret_cast<const unsigned char*>(message.data()), message.size()) == 1;
  ERR_clear_error();
  return holds;
}

Result<PrivateKey> PrivateKey::create(const fs::path& path, const Passphrase* passphrase) {
  if (path.extension() == ".pub")
    return fail(ErrorCode::usage, "a private key cannot be called " + path.string(),
                {"the public key beside it has that ending"});
  const auto key = share(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  if (!key) return crypto_failed("cannot make a key");
  TK_TRY(auto pem, to_private_pem(key.get(), passphrase));
  const Secret secret(std::move(pem));
  if (path.has_parent_path()) TK_CHECK(sys::make_directories(path.parent_path(), 0700));
  TK_TRY(const auto is_new, write_new_file(path, secret.text, 0600));
  if (!is_new) return fail_at(ErrorCode::input_invalid, base::Place{path.string()}, "exists already");
  PrivateKey made(key);
  TK_CHECK(sys::write_file(public_path(path), made.public_key().to_pem()));
  return made;
}

Result<PrivateKey> PrivateKey::load(const fs::path& path, const Passphrase* passphrase) {
  TK_TRY(auto pem, read_private_file(path));
  const Secret secret(std::move(pem));
  const base::Place place{path.string()};
  if (is_cosign_key(secret.text)) {
    TK_TRY(auto opened, open_from_cosign(secret.text, passphrase, path.string()));
    return PrivateKey(std::move(opened));
  }
  const Owned<BIO> bio(BIO_new_mem_buf(secret.text.data(), static_cast<int>(secret.text.size())));
  PassphraseSource source{passphrase};
  auto key = share(PEM_read_bio_PrivateKey(bio.get(), nullptr, give_passphrase, &source));
  ERR_clear_error();
  if (!key && source.asked) {
    if (!passphrase)
      return fail_at(ErrorCode::input_invalid, place, "is protected by a passphrase and none was given",
                     {"sign with a key without one, or say which file or descriptor holds the passphrase"});
    return fail_at(ErrorCode::input_invalid, place, "does not open with this passphrase");
  }
  if (!key) return fail_at(ErrorCode::input_invalid, place, "is no private key in PEM form");
  if (!algorithm_of(key.get())) return other_algorithm(path.string());
  return PrivateKey(std::move(key));
}

Result<PrivateKey> PrivateKey::load_or_create(const fs::path& path, const Passphrase* passphrase) {
  struct stat status = {};
  if (::lstat(path.c_str(), &status) != 0 && errno == ENOENT) {
    auto made = create(path, passphrase);
    // Somebody else may have made it in the meantime; then it is that one.
    if (made || !sys::size_of_file(path)) return made;
  }
  auto key = load(path, passphrase);
  if (key && !sys::size_of_file(public_path(path)))
    TK_CHECK(sys::write_file(public_path(path), key->public_key().to_pem()));
  return key;
}

Result<std::string> PrivateKey::sign(std::string_view message) const {
  const Owned<EVP_MD_CTX> context(EVP_MD_CTX_new());
  const auto* digest = public_key().algorithm() == KeyAlgorithm::ed25519 ? nullptr : EVP_sha256();
  const auto* bytes = reinterpret_cast<const unsigned char*>(message.data());
  std::size_t size = 0;
  if (!context || EVP_DigestSignInit(context.get(), nullptr, digest, nullptr, m_key.get()) != 1 ||
      EVP_DigestSign(context.get(), nullptr, &size, bytes, message.size()) != 1)
    return crypto_failed("cannot sign");
  std::string signature(size, '\0');
  if (EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, bytes,
                     message.size()) != 1)
    return crypto_failed("cannot sign");
  signature.resize(size);  // DER: 70 to 72 bytes
  return signature;
}

}  // namespace torchkiln::stamp
