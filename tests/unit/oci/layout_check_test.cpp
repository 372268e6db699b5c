#include "assembly/oci/layout.hpp"
#include "layout_fixture.hpp"

#include <atomic>
#include <chrono>

using namespace torchkiln;
using namespace torchkiln::oci;
using namespace torchkiln::oci::test;

TEST_CASE("a whole image has no faults, and every byte of its layers was read") {
  const LayoutFixture f;
  const auto image = f.put("t", "one");
  std::atomic<std::uint64_t> read_bytes = 0;
  CHECK(
      must(f.layout.check(image, CheckDepth::every_byte, [&](std::uint64_t more) { read_bytes += more; })).empty());
  CHECK(read_bytes == std::string("tar of one").size());
  CHECK(f.faults(image, CheckDepth::sizes).empty());
}

TEST_CASE("a changed layer is found by its bytes, a cut or missing one by its size already") {
  const LayoutFixture f;
  const auto image = f.put("t", "one");
  const auto layer = must(f.layout.read_manifest(image.descriptor)).layers.front().digest;
  f.overwrite(layer, "TAR OF ONE");
  CHECK(f.faults(image, CheckDepth::sizes).empty());
  const auto changed = f.faults(image);
  REQUIRE(changed.size() == 1);
  CHECK(changed.front().file == f.layout.blob_path(layer));
  CHECK(changed.front().what == "has the digest " + base::Digest::of("TAR OF ONE").to_string());
  f.overwrite(layer, "tar");
  REQUIRE(f.faults(image, CheckDepth::sizes).size() == 1);
  CHECK(f.faults(image, CheckDepth::sizes).front().what == "has 3 bytes, not 10");
  must(sys::remove_tree(f.layout.blob_path(layer)));
  CHECK(f.faults(image).front().what == "is missing from the layout");
}

TEST_CASE("a changed manifest or configuration is found and named") {
  const LayoutFixture f;
  const auto image = f.put("t", "one");
  const auto manifest = must(f.layout.read_manifest(image.descriptor));
  auto bytes = must(f.layout.read_blob(manifest.config));
  bytes[bytes.find("amd64")] = 'A';
  f.overwrite(manifest.config.digest, bytes);
  const auto config = f.faults(image);
  REQUIRE(config.size() == 1);
  CHECK(config.front().file == f.layout.blob_path(manifest.config.digest));
  CHECK(config.front().what == "has the digest " + base::Digest::of(bytes).to_string());
  f.overwrite(image.descriptor.digest, "{}");
  const auto broken = f.faults(image);
  REQUIRE(broken.size() == 1);
  CHECK(broken.front().file == f.layout.blob_path(image.descriptor.digest));
  CHECK_THAT(broken.front().what, Catch::StartsWith("has 2 bytes, not "));
}

TEST_CASE("a configuration that does not fit its manifest or platform is a fault") {
  const LayoutFixture f;
  auto parts = f.parts("t", "one");
  parts.config.diff_ids.push_back(base::Digest::of("two"));
  parts.config.history.clear();
  Manifest manifest;
  manifest.config = must(f.layout.add_bytes(must(to_bytes(parts.config)), k_config_type));
  manifest.layers = parts.layers;
  Image image{must(f.layout.add_bytes(must(to_bytes(manifest)), k_manifest_type)), "t", ""};
  image.descriptor.platform = Platform{"arm64", "linux", ""};
  const auto faults = f.faults(image);
  REQUIRE(faults.size() == 2);
  CHECK(faults[0].what == "has 2 diff_ids for 1 layers");
  CHECK(faults[1].what == "is for linux/amd64, index.json says linux/arm64");
}

TEST_CASE("pruning removes what an older image of the tag left, with its artifacts, and nothing else") {
  const LayoutFixture f;
  const auto old = f.put("t", "old");
  const auto blob = must(f.layout.add_bytes("old statement", "application/x"));
  const auto referrer = must(f.layout.put_referrer(artifact_about(old.descriptor, "application/x", {blob}, {})));
  must(f.layout.put_referrer(artifact_about(referrer, "application/y", {blob}, {})));
  const auto kept = f.put("t", "new");
  const auto other = f.put("u", "other");
  const auto new_blob = must(f.layout.add_bytes("new statement", "application/x"));
  must(f.layout.put_referrer(artifact_about(kept.descriptor, "application/x", {new_blob}, {})));

  const auto pruned = must(f.layout.prune());
  CHECK(pruned.files == 6);  // manifest, configuration, layer; two artifacts and their one blob
  CHECK(pruned.size_bytes > 0);
  CHECK_FALSE(f.layout.contains(old.descriptor.digest));
  CHECK_FALSE(f.layout.contains(referrer.digest));
  CHECK(f.faults(kept).empty());
  CHECK(f.faults(other).empty());
  CHECK(must(f.layout.referrers(kept.descriptor.digest)).found.size() == 1);
  CHECK(must(f.layout.prune()).files == 0);
}

TEST_CASE("pruning takes an interrupted writer's file only once it is old") {
  const LayoutFixture f;
  for (const auto* name : {"blobs/sha256/.new.a1b2c3", ".index.json.a1b2c3"}) {
    const auto left = f.layout.directory() / name;
    must(sys::write_file(left, "half a file"));
    CHECK(must(f.layout.prune()).files == 0);
    fs::last_write_time(left, fs::file_time_type::clock::now() - std::chrono::hours(2));
    CHECK(must(f.layout.prune()).files == 1);
    CHECK_FALSE(fs::exists(left));
  }
}

TEST_CASE("pruning stops before it removes anything when an entry cannot be read") {
  const LayoutFixture f;
  const auto image = f.put("t", "one");
  must(f.layout.add_bytes("left over", "application/x"));
  f.overwrite(image.descriptor.digest, "{}");
  const auto pruned = f.layout.prune();
  REQUIRE_FALSE(pruned);
  CHECK(pruned.error().where->file == f.layout.blob_path(image.descriptor.digest).string());
  CHECK(f.layout.contains(base::Digest::of("left over")));
}

TEST_CASE("an index inside an index keeps its images") {
  const LayoutFixture f;
  const auto image = f.put("t", "one");
  const auto inner =
      must(f.layout.add_bytes(must(to_bytes(Index{{image.descriptor}, {}})), k_index_type));
  must(sys::write_file(f.layout.directory() / "index.json", must(to_bytes(Index{{inner}, {}}))));
  CHECK(must(f.layout.prune()).files == 0);
  CHECK(f.faults(image).empty());
}
