#pragma once
// libarchive's reader, closed at the end of its scope, and its words. Internal to the room.

#include <memory>
#include <string>

#include <archive.h>

namespace torchkiln::layer {

struct FreeArchive {
  void operator()(archive* a) const { archive_read_free(a); }
};
using ArchiveReader = std::unique_ptr<archive, FreeArchive>;

/// Why the last call failed, in libarchive's words; `otherwise` where it has none.
inline std::string reason_of(archive* reader, const char* otherwise = "damaged") {
  const char* why = archive_error_string(reader);
  return why ? why : otherwise;
}

}  // namespace torchkiln::layer
