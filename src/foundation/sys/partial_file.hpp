#pragma once
// A download that is not complete: its bytes lie beside the destination, are hashed as they come, can be gone on
// with by a later attempt or a later process, and reach the destination only with the digest that they should have.

#include "foundation/base/digest.hpp"
#include "foundation/base/error.hpp"
#include "foundation/sys/files.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>

namespace torchkiln::sys {

/// The file that holds a download's bytes while it is not complete.
std::filesystem::path partial_path(const std::filesystem::path& destination);

/// What should come out, and where from, for messages.
struct Expected {
  std::filesystem::path destination;
  base::Digest digest;
  std::optional<std::uint64_t> size_bytes;  ///< checked where known
  std::string source;
};

class PartialFile {
 public:
  /// `expected` has to outlive this.
  explicit PartialFile(const Expected& expected) : m_expected(&expected) {}

  /// Opens the file and hashes what an earlier attempt left.
  base::Result<void> open();
  /// The same, after any other process that fills the same file; false when it has, and the destination is there.
  base::Result<bool> open_alone();
  /// Throws away what is there, and begins again.
  base::Result<void> restart();

  /// An Error (integrity_failed) when that is more than there should be.
  base::Result<void> write(std::span<const std::byte> bytes);
  /// Checks size and digest and moves the file to its destination.
  base::Result<void> finish();
  /// Removes the file.
  void discard();

  std::uint64_t size_bytes() const { return m_size_bytes; }
  /// Whether bytes of an earlier attempt are, or were, part of it, so that those may be what is wrong.
  bool is_resumed() const { return m_resumed; }

 private:
  base::Result<void> go_on();
  base::Result<void> rehash();
  base::Error integrity(const std::string& what) const;

  const Expected* m_expected;
  FileDescriptor m_fd;
  base::Sha256 m_hasher;
  std::uint64_t m_size_bytes = 0;  ///< of the file, all of them in m_hasher
  bool m_resumed = false;
};

}  // namespace torchkiln::sys
