#include "assembly/layer/flattened.hpp"

#include "foundation/sys/process.hpp"
#include "support/test_folder.hpp"

#include <catch2/catch.hpp>

using namespace torchkiln::layer;
using torchkiln::base::Digest;
using torchkiln::base::ErrorCode;
using torchkiln::sys::BlobStore;
using torchkiln::test::error_of;
using torchkiln::test::must;
using torchkiln::test::TestFolder;

namespace {

struct Image {
  TestFolder folder;
  BlobStore store{folder.path("store")};
  std::vector<ImageLayer> layers;

  std::string shell(const std::string& script, const std::string& argument) const {
    torchkiln::sys::Command command;
    command.arguments = {"sh", "-euc", script, "sh", argument};
    return must(torchkiln::sys::run_checked(command)).output;
  }
  /// A layer of what `script` makes, compressed by `filter`.
  void add(const std::string& script, const std::string& filter = "gzip -n") {
    const auto name = "layer" + std::to_string(layers.size());
    shell("mkdir \"$1\" && cd \"$1\" && " + script +
              " && tar --sort=name --format=pax --owner=7 --group=8 -cf ../\"${1##*/}\".tar . && " + filter +
              " <../\"${1##*/}\".tar >../\"${1##*/}\".blob",
          folder.path(name).string());
    layers.push_back({must(store.put(folder.text(name + ".blob"))), Digest::of(folder.text(name + ".tar"))});
  }
  std::string files() {
    must(flatten(layers, store, folder.path("flat.tar"), folder.path()));
    return shell(
        "mkdir \"$1\" && cd \"$1\" && tar -xf ../flat.tar && find . -mindepth 1 | LC_ALL=C sort | while read -r f; "
        "do "
        "if [ -L \"$f\" ]; then echo \"$f -> $(readlink \"$f\")\"; elif [ -f \"$f\" ]; then echo \"$f $(cat "
        "\"$f\")\"; "
        "else echo \"$f/\"; fi; done",
        folder.path("flat").string());
  }
};

}  // namespace

TEST_CASE("the layers of an image become one tar: what is above counts, and whiteouts take effect") {
  Image t;
  t.add(
      "mkdir -p etc/old/deep usr && echo 1 >etc/kept && echo 1 >etc/changed && echo 1 >etc/gone && echo 1 "
      ">etc/old/deep/x && "
      "ln -s kept etc/link && echo 1 >usr/x");
  t.add("mkdir etc && echo 2 >etc/changed && touch etc/.wh.gone etc/.wh.old", "zstd -q");
  t.add("mkdir usr && touch usr/.wh..wh..opq && echo 3 >usr/y", "cat");
  CHECK(t.files() == "./etc/\n./etc/changed 2\n./etc/kept 1\n./etc/link -> kept\n./usr/\n./usr/y 3\n");
}

TEST_CASE("a file takes the place of a folder, and further names of a file stay names of it") {
  Image t;
  t.add("mkdir a && echo 1 >a/x && echo 2 >one && ln one two");
  t.add("echo 3 >a");
  CHECK(t.files() == "./a 3\n./one 2\n./two 2\n");
  CHECK(t.shell("stat -c %h \"$1\"/one", t.folder.path("flat").string()) == "2\n");
}

TEST_CASE("a layer with another diff_id than the configuration's, and half of a hard link, are refused") {
  Image t;
  t.add("echo 1 >one && ln one two");
  auto damaged = t.layers;
  damaged[0].diff_id = Digest::of("another");
  CHECK(error_of(flatten(damaged, t.store, t.folder.path("flat.tar"), t.folder.path())).code ==
        ErrorCode::integrity_failed);
  t.add("echo 2 >one");
  CHECK_THAT(error_of(flatten(t.layers, t.store, t.folder.path("flat.tar"), t.folder.path())).message,
             Catch::Matchers::Contains("which another layer replaces"));
}

TEST_CASE("files are read as the image has them") {
  Image t;
  t.add("mkdir -p etc var && echo 1 >etc/a && echo 1 >etc/b && echo 1 >var/c");
  t.add("mkdir etc && echo 2 >etc/a && touch etc/.wh.b .wh.var");
  const auto files = must(read_image_files(t.layers, t.store, {"etc/a", "etc/b", "var/c", "none"}));
  CHECK(files == std::map<std::string, std::string>{{"etc/a", "2\n"}});
}
