#pragma once
// A layout in a folder of its own, and images small enough to read.

#include "assembly/oci/layout.hpp"
#include "support/test_folder.hpp"

#include <catch2/catch.hpp>
#include <filesystem>
#include <string>

namespace torchkiln::oci::test {

namespace fs = std::filesystem;

using torchkiln::test::must;

using Folder = torchkiln::test::TestFolder;

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
