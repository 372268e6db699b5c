#pragma once
// libarchive's reader, closed at the end of its scope. Internal to the room.

#include <memory>

#include <archive.h>

namespace torchkiln::layer {

struct FreeArchive {
  void operator()(archive* a) const { archive_read_free(a); }
};
using ArchiveReader = std::unique_ptr<archive, FreeArchive>;

}  // namespace torchkiln::layer
