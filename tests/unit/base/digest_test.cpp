#include "foundation/base/digest.hpp"

#include "support/must.hpp"

#include <catch2/catch.hpp>

using torchkiln::base::Digest;
using torchkiln::base::ErrorCode;
using torchkiln::base::Sha256;
using torchkiln::test::error_of;

TEST_CASE("SHA-256 gives the digests of FIPS 180-4's examples") {
  CHECK(Digest::of("").hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(Digest::of("abc").hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(Digest::of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq").hex() ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(Digest::of(std::string(1'000'000, 'a')).hex() ==
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("pieces of any size give the digest of the whole") {
  std::string bytes;
  for (int i = 0; i < 1000; ++i) bytes += static_cast<char>(i * 7);
  for (const std::size_t piece : {1, 3, 63, 64, 65, 999}) {
    Sha256 hasher;
    for (std::size_t at = 0; at < bytes.size(); at += piece) hasher.update(bytes.substr(at, piece));
    CHECK(hasher.finish() == Digest::of(bytes));
  }
}

TEST_CASE("a digest is written as OCI, as hex and as RECORD does") {
  const auto digest = Digest::of("abc");
  CHECK(digest.to_string() == "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(digest.base64url() == "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0");
}

TEST_CASE("a digest is read with and without its algorithm") {
  const auto digest = Digest::of("abc");
  CHECK(Digest::parse(digest.to_string()) == digest);
  CHECK(Digest::parse(digest.hex()) == digest);
}

TEST_CASE("anything that is no lower-case SHA-256 is refused with its text") {
  const auto hex = Digest::of("abc").hex();
  for (const std::string& text :
       {std::string(), std::string("sha256:"), hex.substr(1), hex + "0", "sha256:sha256:" + hex, "sha512:" + hex,
        "SHA256:" + hex, std::string(64, 'A'), std::string(64, 'g'), " " + hex.substr(1), std::string(64, '\0')}) {
    const auto error = error_of(Digest::parse(text));
    CHECK(error.code == ErrorCode::input_invalid);
    CHECK(error.message == "'" + text + "' is no SHA-256 digest");
  }
}

TEST_CASE("no digest is told from every real one") {
  CHECK(Digest().is_none());
  CHECK_FALSE(Digest::of("").is_none());
  CHECK(Digest() < Digest::of(""));
}
