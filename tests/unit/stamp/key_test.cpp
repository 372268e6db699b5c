#include "proof/stamp/key.hpp"

#include "stamp_fixture.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace torchkiln;
using namespace torchkiln::report;
using namespace torchkiln::stamp;
using namespace torchkiln::stamp::test;

namespace {

unsigned mode_of(const fs::path& path) {
  struct stat status = {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 07777;
}

template <class T>
std::string words(const base::Result<T>& result) {
  REQUIRE_FALSE(result);
  return result.error().message;
}

Passphrase passphrase(const oci::test::Folder& folder, const std::string& text) {
  must(sys::write_file(folder.path("words"), text));
  return must(Passphrase::from_file(folder.path("words")));
}

// RFC 8410, section 10.3, and its public half: Ed25519 of somebody else's making.
constexpr const char* k_ed25519_key = R"(-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
-----END PRIVATE KEY-----
)";
constexpr const char* k_p384_key = R"(-----BEGIN PUBLIC KEY-----
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE0BwAuTh18+MI0abErHiojXZJS9rnF7FH
XtzzMiOJB9iRB0qQu7GGN7ICZPhnQZocPaF4/PvBkMkVA0d9aVPue/aZUrr6pltG
Hr4AaWqkMOoMeSR37HgSl5v+FXJ3XY+p
-----END PUBLIC KEY-----
)";

}  // namespace

TEST_CASE("a new key is for its owner's eyes, whatever the umask, and its public half lies beside it") {
  const oci::test::Folder folder;
  const auto old_umask = ::umask(0);
  const auto key = must(PrivateKey::create(folder.path("new/kiln.key"), nullptr));
  ::umask(old_umask);
  CHECK(mode_of(folder.path("new/kiln.key")) == 0600);
  CHECK(mode_of(folder.path("new")) == 0700);
  CHECK(must(sys::read_file(folder.path("new/kiln.key"))).starts_with("-----BEGIN PRIVATE KEY-----\n"));
  const auto public_key = must(PublicKey::load(folder.path("new/kiln.pub")));
  CHECK(public_key.hint() == key.public_key().hint());
  CHECK(public_key.algorithm() == KeyAlgorithm::ecdsa_p256);
  CHECK(must(sys::list_directory(folder.path("new"))) == std::vector<std::string>{"kiln.key", "kiln.pub"});
}

TEST_CASE("a key that exists is never written over") {
  const oci::test::Folder folder;
  must(PrivateKey::create(folder.path("kiln.key"), nullptr));
  const auto before = must(sys::read_file(folder.path("kiln.key")));
  CHECK(words(PrivateKey::create(folder.path("kiln.key"), nullptr)) == "exists already");
  CHECK(must(sys::read_file(folder.path("kiln.key"))) == before);
  CHECK_FALSE(PrivateKey::create(folder.path("kiln.pub"), nullptr));
}

TEST_CASE("first use makes a key, the next use takes it, and a lost public half comes back") {
  const oci::test::Folder folder;
  const auto first = must(PrivateKey::load_or_create(folder.path("kiln.key"), nullptr));
  must(sys::remove_tree(folder.path("kiln.pub")));
  const auto second = must(PrivateKey::load_or_create(folder.path("kiln.key"), nullptr));
  CHECK(first.public_key().hint() == second.public_key().hint());
  CHECK(must(PublicKey::load(folder.path("kiln.pub"))).hint() == first.public_key().hint());
}

TEST_CASE("a private key that others may read or change is refused with the way out") {
  const oci::test::Folder folder;
  must(PrivateKey::create(folder.path("kiln.key"), nullptr));
  for (const mode_t mode : {0640, 0604, 0620, 0601}) {
    REQUIRE(::chmod(folder.path("kiln.key").c_str(), mode) == 0);
    const auto key = PrivateKey::load(folder.path("kiln.key"), nullptr);
    CHECK_THAT(words(key), Catch::Contains("others than its owner may read or change"));
    CHECK_THAT(key.error().hints.front(), Catch::Contains("chmod 600 " + folder.path("kiln.key").string()));
    CHECK_FALSE(PrivateKey::load_or_create(folder.path("kiln.key"), nullptr));
  }
  REQUIRE(::chmod(folder.path("kiln.key").c_str(), 0400) == 0);
  CHECK(PrivateKey::load(folder.path("kiln.key"), nullptr));
}

TEST_CASE("a passphrase protects the file: without it or with another the key does not open") {
  const oci::test::Folder folder;
  const auto right = passphrase(folder, "correct horse\nsecond line");
  const auto key = must(PrivateKey::create(folder.path("kiln.key"), &right));
  CHECK(must(sys::read_file(folder.path("kiln.key"))).starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
  CHECK(words(PrivateKey::load(folder.path("kiln.key"), nullptr)) ==
        "is protected by a passphrase and none was given");
  const auto wrong = passphrase(folder, "correct house");
  CHECK(words(PrivateKey::load(folder.path("kiln.key"), &wrong)) == "does not open with this passphrase");
  const auto again = passphrase(folder, "correct horse\r\n");
  CHECK(must(PrivateKey::load(folder.path("kiln.key"), &again)).public_key().hint() == key.public_key().hint());
}

TEST_CASE("a passphrase comes from a descriptor too, and has limits") {
  int ends[2] = {};
  REQUIRE(::pipe(ends) == 0);
  REQUIRE(::write(ends[1], "words\nrest", 10) == 10);
  CHECK(must(Passphrase::from_descriptor(ends[0])).reveal() == "words");
  ::close(ends[0]);
  ::close(ends[1]);
  CHECK(words(Passphrase::from_descriptor(ends[0])).starts_with("cannot read the passphrase: "));
  const oci::test::Folder folder;
  must(sys::write_file(folder.path("words"), "\n"));
  CHECK(words(Passphrase::from_file(folder.path("words"))) == "the passphrase is empty");
  must(sys::write_file(folder.path("words"), std::string(1025, 'x')));
  CHECK(words(Passphrase::from_file(folder.path("words"))) == "the passphrase is longer than 1024 bytes");
  must(sys::write_file(folder.path("words"), std::string(1024, 'x')));
  const auto longest = must(Passphrase::from_file(folder.path("words")));
  must(PrivateKey::create(folder.path("kiln.key"), &longest));
  CHECK(PrivateKey::load(folder.path("kiln.key"), &longest));
}

TEST_CASE("a signature holds for its message and its key, and in one encoding only") {
  const oci::test::Folder folder;
  const auto key = must(PrivateKey::create(folder.path("a.key"), nullptr));
  const auto other = must(PrivateKey::create(folder.path("b.key"), nullptr));
  const auto signature = must(key.sign("message"));
  CHECK(key.public_key().has_signed("message", signature));
  CHECK_FALSE(key.public_key().has_signed("massage", signature));
  CHECK_FALSE(other.public_key().has_signed("message", signature));
  CHECK_FALSE(key.public_key().has_signed("message", signature + std::string(1, '\0')));
  CHECK_FALSE(key.public_key().has_signed("message", ""));
  // The same DER with the sequence's length in two bytes is BER, and no second spelling may hold.
  const auto padded = signature.substr(0, 1) + "\x81" + signature.substr(1);
  CHECK_FALSE(key.public_key().has_signed("message", padded));
}

TEST_CASE("an Ed25519 key of somebody else's making signs and checks") {
  const oci::test::Folder folder;
  must(sys::write_file(folder.path("ed.key"), k_ed25519_key, 0600));
  const auto key = must(PrivateKey::load(folder.path("ed.key"), nullptr));
  CHECK(key.public_key().algorithm() == KeyAlgorithm::ed25519);
  const auto signature = must(key.sign("message"));
  CHECK(signature.size() == 64);
  const auto public_key = must(PublicKey::parse(key.public_key().to_pem(), "ed.pub"));
  CHECK(public_key.has_signed("message", signature));
  CHECK_FALSE(public_key.has_signed("other", signature));
}

TEST_CASE("what is no usable key is named") {
  const oci::test::Folder folder;
  CHECK(words(PublicKey::parse("hello", "a.pub")) == "is no public key in PEM form");
  CHECK(words(PublicKey::parse(k_ed25519_key, "a.pub")) == "is a private key where a public key is wanted");
  CHECK(words(PublicKey::parse(k_p384_key, "a.pub")) == "is neither an ECDSA P-256 nor an Ed25519 key");
  must(sys::write_file(folder.path("a.key"), "hello", 0600));
  CHECK(words(PrivateKey::load(folder.path("a.key"), nullptr)) == "is no private key in PEM form");
  must(sys::write_file(folder.path("a.key"), "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n", 0600));
  CHECK(words(PrivateKey::load(folder.path("a.key"), nullptr)) == "is cut");
  REQUIRE(::mkfifo(folder.path("fifo").c_str(), 0600) == 0);
  CHECK(words(PrivateKey::load(folder.path("fifo"), nullptr)) == "is no regular file");
  CHECK_FALSE(PrivateKey::load(folder.path("absent"), nullptr));
}
