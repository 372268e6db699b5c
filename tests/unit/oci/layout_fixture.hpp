#pragma once
// A layout in a folder of its own, and images small enough to read.

#include "assembly/oci/layout.hpp"
#include "foundation/sys/files.hpp"

#include <catch2/catch.hpp>
#include <filesystem>
#include <string>

namespace torchkiln::oci::test {

namespace fs = std::filesystem;

/// The value, or a failed test that shows the error.
template <class T>
T must(base::Result<T> result) {
  if (!result) {
    const auto& error = result.error();
    FAIL((error.where ? error.where->to_string() + ": " : "") << error.message);
  }
  return std::move(*result);
}
inline void must(const base::Result<void>& result) {
  if (!result) FAIL(result.error().message);
}

/// In memory where that is possible: what is written is flushed to the disk each time, which tests need not wait
/// for.
inline fs::path scratch() {
  std::error_code error;
  return fs::is_directory("/dev/shm", error) ? fs::path("/dev/shm") : fs::temp_directory_path();
}

struct Folder {
  sys::TemporaryDirectory directory = must(sys::TemporaryDirectory::create(scratch(), "tk-oci-"));
  fs::path path(const std::string& name) const { return directory.path() / name; }
};

struct LayoutFixture : Folder {
  Layout layout = must(Layout::create(path("layout")));

  std::string text_of(const std::string& name) const { return must(sys::read_file(layout.directory() / name)); }

  /// An image of one layer whose content is `content`; the layer's tar is only pretended.
  ImageParts parts(const std::string& tag, const std::string& content) const {
    ImageParts parts;
    parts.tag = tag;
    parts.layers = {must(layout.add_bytes("tar of " + content, k_layer_gzip_type))};
    parts.config.created = "2026-01-02T03:04:05Z";
    parts.config.execution.environment = {"PATH=/usr/bin"};
    parts.config.diff_ids = {base::Digest::of(content)};
    parts.config.history = {{"2026-01-02T03:04:05Z", "torchkiln test " + content}};
    return parts;
  }
  Image put(const std::string& tag, const std::string& content) const {
    must(layout.put_image(parts(tag, content)));
    return must(layout.find_image(tag));
  }
  std::vector<LayoutFault> faults(const Image& image, CheckDepth depth = CheckDepth::every_byte) const {
    return must(layout.check(image, depth, {}));
  }
  /// Replaces a blob's bytes; hard links and read-only modes do not matter.
  void overwrite(const base::Digest& digest, const std::string& bytes) const {
    must(sys::write_file(layout.blob_path(digest), bytes));
  }
};

}  // namespace torchkiln::oci::test
