#pragma once
// SHA-256, the one digest of OCI blobs, wheels and Debian packages here.

#include "foundation/base/error.hpp"

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace torchkiln::base {

/// A SHA-256 value. A default-constructed Digest is all zeros and stands for "none".
class Digest {
 public:
  Digest() = default;

  /// Reads "sha256:<64 lower-case hex digits>" (OCI image-spec, descriptor.md) or the bare hex.
  static Result<Digest> parse(std::string_view text);
  /// The digest of `bytes`.
  static Digest of(std::string_view bytes);

  /// 64 lower-case hex digits.
  std::string hex() const;
  /// "sha256:" and the hex.
  std::string to_string() const { return "sha256:" + hex(); }
  /// RFC 4648 base64url without padding, as RECORD files write it.
  std::string base64url() const;
  bool is_none() const { return *this == Digest(); }

  auto operator<=>(const Digest&) const = default;
  bool operator==(const Digest&) const = default;

 private:
  friend class Sha256;
  std::array<std::uint8_t, 32> m_bytes{};
};

/// Incremental SHA-256.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void update(std::span<const std::byte> bytes);
  void update(std::string_view bytes);
  /// The digest of everything so far; the hasher must not be used afterwards.
  Digest finish();

 private:
  struct Context;
  std::unique_ptr<Context> m_context;
};

}  // namespace torchkiln::base
