#include "assembly/oci/layout.hpp"

#include "foundation/base/text.hpp"
#include "foundation/sys/workers.hpp"
#include "layout_fixture.hpp"

#include <sys/stat.h>

using namespace torchkiln;
using namespace torchkiln::oci;
using namespace torchkiln::oci::test;

namespace {

ino_t inode_of(const fs::path& path) {
  struct stat status = {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_ino;
}

template <class T>
std::string words(const base::Result<T>& result) {
  REQUIRE_FALSE(result);
  return result.error().message;
}

}  // namespace

TEST_CASE("a new layout is what image-spec says, and opening it again changes nothing") {
  const LayoutFixture f;
  CHECK(f.text_of("oci-layout") == R"({"imageLayoutVersion":"1.0.0"})");
  CHECK(f.text_of("index.json") ==
        R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]})");
  CHECK(fs::is_directory(f.layout.directory() / "blobs" / "sha256"));
  const auto before = inode_of(f.layout.directory() / "index.json");
  must(Layout::create(f.layout.directory()));
  CHECK(inode_of(f.layout.directory() / "index.json") == before);
}

TEST_CASE("a folder with something else in it is not made a layout") {
  const Folder folder;
  must(sys::write_file(folder.path("thesis.tex"), "years of work"));
  const auto layout = Layout::create(folder.directory.path());
  CHECK(words(layout) == "is neither empty nor an OCI image layout");
  CHECK(layout.error().where->file == folder.directory.path().string());
  CHECK(must(sys::list_directory(folder.directory.path())) == std::vector<std::string>{"thesis.tex"});
}

TEST_CASE("a layout whose making was interrupted is finished") {
  const Folder folder;
  must(sys::write_file(
      folder.path("index.json"),
      R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]})"));
  must(sys::write_file(folder.path(".oci-layout.a1b2c3"), ""));
  must(Layout::create(folder.directory.path()));
}

TEST_CASE("a folder that is no layout, or one of another version, is named") {
  const Folder folder;
  CHECK(words(Layout::open(folder.directory.path())) == "is no OCI image layout: it has no file named oci-layout");
  must(sys::write_file(folder.path("oci-layout"), R"({"imageLayoutVersion":"2.0.0"})"));
  CHECK(words(Layout::open(folder.directory.path())) == "imageLayoutVersion is \"2.0.0\", not \"1.0.0\"");
  must(sys::write_file(folder.path("oci-layout"), R"({"imageLayoutVersion":"1.0.0"})"));
  const auto layout = Layout::open(folder.directory.path());
  CHECK(words(layout) == "is missing: the layout names no images");
  CHECK(layout.error().where->file == folder.path("index.json"));
}

TEST_CASE("an image is listed by tag and platform, and found by tag, name, digest or as the only one") {
  const LayoutFixture f;
  auto parts = f.parts("2.8.0-cu128", "one");
  parts.name = "team/pytorch:2.8.0-cu128";
  const auto descriptor = must(f.layout.put_image(parts));
  CHECK(f.text_of("index.json") ==
        R"({"manifests":[{"annotations":{"io.containerd.image.name":"team/pytorch:2.8.0-cu128",)"
        R"("org.opencontainers.image.ref.name":"2.8.0-cu128"},"digest":")" +
            descriptor.digest.to_string() +
            R"(","mediaType":"application/vnd.oci.image.manifest.v1+json",)"
            R"("platform":{"architecture":"amd64","os":"linux"},"size":)" +
            std::to_string(descriptor.size_bytes) +
            R"(}],"mediaType":"application/vnd.oci.image.index.v1+json","schemaVersion":2})");
  for (const auto& reference : {std::optional<std::string>(), std::optional<std::string>("2.8.0-cu128"),
                                std::optional<std::string>("team/pytorch:2.8.0-cu128"),
                                std::optional<std::string>(descriptor.digest.to_string())}) {
    const auto image = must(f.layout.find_image(reference));
    CHECK(image.descriptor.digest == descriptor.digest);
    CHECK(image.tag == "2.8.0-cu128");
  }
  CHECK(must(f.layout.read_config(must(f.layout.read_manifest(descriptor)))) == parts.config);
}

TEST_CASE("docker finds the same image in manifest.json") {
  const LayoutFixture f;
  auto parts = f.parts("t", "one");
  parts.name = "team/pytorch:t";
  const auto manifest = must(f.layout.read_manifest(must(f.layout.put_image(parts))));
  CHECK(f.text_of("manifest.json") == R"([{"Config":"blobs/sha256/)" + manifest.config.digest.hex() +
                                          R"(","RepoTags":["team/pytorch:t"],"Layers":["blobs/sha256/)" +
                                          manifest.layers.front().digest.hex() + R"("]}])");
}

TEST_CASE("the same image put twice leaves the same files, and equal parts have one digest anywhere") {
  const LayoutFixture f, other;
  const auto first = must(f.layout.put_image(f.parts("t", "one")));
  const auto inode = inode_of(f.layout.directory() / "index.json");
  CHECK(must(f.layout.put_image(f.parts("t", "one"))).digest == first.digest);
  CHECK(inode_of(f.layout.directory() / "index.json") == inode);
  CHECK(must(other.layout.put_image(other.parts("t", "one"))).digest == first.digest);
}

TEST_CASE("an image of the same tag is replaced and the others stay") {
  const LayoutFixture f;
  const auto a = f.put("a", "one");
  f.put("b", "two");
  const auto again = f.put("b", "three");
  const auto images = must(f.layout.images());
  REQUIRE(images.size() == 2);
  CHECK(images[0].descriptor == a.descriptor);
  CHECK(images[1].descriptor == again.descriptor);
  CHECK(words(f.layout.find_image(std::nullopt)) == "names 2 images");
}

TEST_CASE("an image that is not there is answered with those that are") {
  const LayoutFixture f;
  CHECK(words(f.layout.find_image(std::nullopt)) == "names no image");
  f.put("2.8.0-cu128-runtime", "one");
  const auto image = f.layout.find_image("2.8.0-cu126-runtime");
  CHECK(words(image) == "names no image '2.8.0-cu126-runtime'");
  CHECK(image.error().hints == std::vector<std::string>{"did you mean '2.8.0-cu128-runtime'?"});
  CHECK(image.error().where->file == (f.layout.directory() / "index.json").string());
}

TEST_CASE("what other tools wrote into index.json stays, field by field") {
  const LayoutFixture f;
  const auto foreign = R"({"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:)" +
                       std::string(64, '1') +
                       R"(","size":7,"annotations":{"org.opencontainers.image.ref.name":"theirs"},)"
                       R"("urls":["https://index.example/x"],"com.example":{"deep":[1,2.5,null]}})";
  must(sys::write_file(f.layout.directory() / "index.json",
                       R"({"schemaVersion":2,"com.example.top":true,"manifests":[)" + foreign + "]}"));
  f.put("ours", "one");
  const auto index = document::ParsedJson::parse(f.text_of("index.json"));
  CHECK(index["manifests"][0] == document::ParsedJson::parse(foreign));
  CHECK(index["com.example.top"] == true);
  CHECK(index["manifests"].size() == 2);
}

TEST_CASE("an image without one of its layers, or with a wrong number of them, is not written") {
  const LayoutFixture f;
  auto parts = f.parts("t", "one");
  must(sys::remove_tree(f.layout.blob_path(parts.layers.front().digest)));
  const auto written = f.layout.put_image(parts);
  CHECK(words(written) == "is missing from the layout");
  CHECK(written.error().where->file == f.layout.blob_path(parts.layers.front().digest).string());
  CHECK(must(f.layout.images()).empty());
  parts = f.parts("t", "one");
  parts.layers.front().size_bytes += 1;
  CHECK_THAT(words(f.layout.put_image(parts)), Catch::Contains("bytes, not"));
  parts = f.parts("t", "one");
  parts.config.diff_ids.clear();
  parts.config.history.clear();
  CHECK_THAT(words(f.layout.put_image(parts)), Catch::Contains("1 layers has 0 diff_ids"));
}

TEST_CASE("an image's tag is a name that index.json may hold") {
  const LayoutFixture f;
  for (const std::string good : {"a", "2.8.0-cu128", "team/pytorch:2.8.0+cu128", "a--b", "a_b@c"}) {
    INFO(good);
    CHECK(f.layout.put_image(f.parts(good, "one")));
  }
  for (const std::string bad : {"", "-a", "a-", "a..b", "a b", "a/", "ä", "a\n", "a---b"}) {
    INFO(bad);
    CHECK_FALSE(f.layout.put_image(f.parts(bad, "one")));
  }
}

TEST_CASE("a file becomes a blob by a hard link, a symbolic link is followed") {
  const LayoutFixture f;
  const auto digest = base::Digest::of("layer bytes");
  must(sys::write_file(f.path("layer"), "layer bytes"));
  fs::create_symlink("layer", f.path("link"));
  const auto descriptor = must(f.layout.add_file(f.path("link"), digest, k_layer_gzip_type, Trust::hash_again));
  CHECK(descriptor == Descriptor{std::string(k_layer_gzip_type), digest, 11});
  CHECK(inode_of(f.layout.blob_path(digest)) == inode_of(f.path("layer")));
  CHECK_FALSE(fs::is_symlink(f.layout.blob_path(digest)));
}

TEST_CASE("a file with other bytes than its digest says does not stay in the layout") {
  const LayoutFixture f;
  must(sys::write_file(f.path("layer"), "other bytes"));
  const auto digest = base::Digest::of("layer bytes");
  const auto added = f.layout.add_file(f.path("layer"), digest, k_layer_gzip_type, Trust::hash_again);
  CHECK(words(added) ==
        "has the digest " + base::Digest::of("other bytes").to_string() + ", not " + digest.to_string());
  CHECK(added.error().code == base::ErrorCode::integrity_failed);
  CHECK_FALSE(f.layout.contains(digest));
  CHECK_FALSE(f.layout.add_file(f.path("absent"), digest, k_layer_gzip_type, Trust::digest_as_given));
  CHECK_FALSE(f.layout.add_file(f.directory.path(), digest, k_layer_gzip_type, Trust::digest_as_given));
}

TEST_CASE("a cut or changed blob is replaced when its bytes are added again") {
  const LayoutFixture f;
  const auto digest = base::Digest::of("layer bytes");
  must(sys::write_file(f.path("layer"), "layer bytes"));
  must(sys::write_file(f.layout.blob_path(digest), "layer"));
  must(f.layout.add_file(f.path("layer"), digest, k_layer_gzip_type, Trust::digest_as_given));
  CHECK(must(sys::read_file(f.layout.blob_path(digest))) == "layer bytes");
  f.overwrite(digest, "LAYER BYTES");
  must(f.layout.add_file(f.path("layer"), digest, k_layer_gzip_type, Trust::hash_again));
  CHECK(must(sys::read_file(f.layout.blob_path(digest))) == "layer bytes");
  f.overwrite(digest, "LAYER BYTES");
  must(f.layout.add_bytes("layer bytes", k_layer_gzip_type));
  CHECK(must(sys::read_file(f.layout.blob_path(digest))) == "layer bytes");
}

TEST_CASE("many writers of one layout lose nobody's image") {
  const LayoutFixture f;
  sys::Workers workers(8);
  constexpr int k_writers = 24;
  std::vector<ImageParts> all;
  for (int i = 0; i < k_writers; ++i) all.push_back(f.parts("t" + std::to_string(i), std::to_string(i)));
  for (const auto& parts : all)
    workers.submit([&f, &parts]() -> base::Result<void> {
      TK_TRY(const auto layout, Layout::open(f.layout.directory()));
      TK_CHECK(layout.put_image(parts));
      return {};
    });
  must(workers.wait());
  CHECK(must(f.layout.images()).size() == k_writers);
  CHECK(document::Json::parse(f.text_of("manifest.json")).size() == k_writers);
}

TEST_CASE("a referrer is listed with its type and found by its subject; the image stays as it is") {
  const LayoutFixture f;
  const auto image = f.put("t", "one");
  const auto blob = must(f.layout.add_bytes("statement", "application/x"));
  const auto manifest = artifact_about(image.descriptor, "application/x", {blob}, {{"when", "now"}});
  const auto referrer = must(f.layout.put_referrer(manifest));
  CHECK(must(f.layout.put_referrer(manifest)).digest == referrer.digest);
  const auto referrers = must(f.layout.referrers(image.descriptor.digest));
  REQUIRE(referrers.found.size() == 1);
  CHECK(referrers.found.front().digest == referrer.digest);
  CHECK(referrers.found.front().artifact_type == "application/x");
  CHECK(referrers.found.front().annotations == Annotations{{"when", "now"}});
  CHECK(must(f.layout.referrers(referrer.digest)).found.empty());
  CHECK(must(f.layout.find_image(std::nullopt)).descriptor == image.descriptor);
  CHECK(f.layout.contains(base::Digest::of(k_empty_blob)));
}

TEST_CASE("an artifact that another tool lists without its type is no image") {
  const LayoutFixture f;
  const auto image = f.put("t", "one");
  const auto blob = must(f.layout.add_bytes("statement", "application/x"));
  must(f.layout.put_referrer(artifact_about(image.descriptor, "application/x", {blob}, {})));
  must(sys::write_file(f.layout.directory() / "index.json",
                       base::replace_all(f.text_of("index.json"), R"(,"artifactType":"application/x")", "")));
  CHECK(must(f.layout.images()).size() == 1);
  CHECK(must(f.layout.referrers(image.descriptor.digest)).found.size() == 1);
}

TEST_CASE("writing what another writer wrote changes no byte of index.json") {
  const LayoutFixture f;
  const auto image = f.put("t", "one");
  must(f.layout.annotate_image(image.descriptor.digest, {{"kind", "k"}}));
  const auto before = f.text_of("index.json");
  f.put("t", "one");
  must(f.layout.annotate_image(image.descriptor.digest, {{"kind", "k"}}));
  CHECK(f.text_of("index.json") == before);
}

TEST_CASE("what is said about an image in the index outlives putting it again, until it is another image") {
  const LayoutFixture f;
  const auto image = f.put("t", "one");
  must(f.layout.annotate_image(image.descriptor.digest, {{"kind", "k"}}));
  CHECK(f.put("t", "one").descriptor.annotations.at("kind") == "k");
  CHECK_FALSE(f.put("t", "two").descriptor.annotations.contains("kind"));
}

TEST_CASE("an index of several platforms is named as such") {
  const LayoutFixture f;
  const auto index = must(f.layout.add_bytes(must(to_bytes(Index{})), k_index_type));
  must(sys::write_file(f.layout.directory() / "index.json", must(to_bytes(Index{{index}, {}}))));
  const auto image = must(f.layout.find_image(std::nullopt));
  CHECK(words(f.layout.read_manifest(image.descriptor)) == "is an index of several images, one for each platform");
}
