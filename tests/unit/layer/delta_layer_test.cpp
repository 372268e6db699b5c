#include "assembly/layer/delta_layer.hpp"

#include "foundation/sys/process.hpp"
#include "support/must.hpp"
#include "support/test_folder.hpp"

#include <catch2/catch.hpp>

using namespace torchkiln::layer;
using torchkiln::base::Digest;
using torchkiln::base::ErrorCode;
using torchkiln::sys::BlobStore;
using torchkiln::test::error_of;
using torchkiln::test::must;
using torchkiln::test::TestFolder;
using Texts = std::vector<std::string>;

namespace {

const std::string k_key = Digest::of("key").hex();

std::string shell(const std::string& script, const std::filesystem::path& folder) {
  torchkiln::sys::Command command;
  command.arguments = {"sh", "-euc", script};
  command.directory = folder;
  return must(torchkiln::sys::run_checked(command)).output;
}

/// Two bases, each made by a shell script in an empty folder and archived as mmdebstrap does it.
struct Bases {
  TestFolder folder;
  BlobStore store{folder.path("store")};
  LayerCatalog catalog{folder.path("layers")};
  BaseFacts lower, upper;

  Bases(const std::string& make_lower, const std::string& make_upper) {
    lower = base(make_lower);
    upper = base(make_lower + "\n" + make_upper);
    upper.files = {{"etc/passwd", "upper"}};
  }
  BaseFacts base(const std::string& script) {
    must(torchkiln::sys::remove_tree(folder.path("tree")));
    must(torchkiln::sys::make_directories(folder.path("tree")));
    shell(script, folder.path("tree"));
    shell("tar --sort=name --numeric-owner --owner=0 --group=0 --format=pax --xattrs -cf ../base.tar .",
          folder.path("tree"));
    BaseFacts facts;
    facts.layer = must(compress_tar(folder.path("base.tar"), store, 2));
    return facts;
  }
  torchkiln::base::Result<DeltaFacts> make() {
    return make_delta(k_key, lower, upper, store, catalog, folder.path("work"), 2);
  }
  /// "mode path" of each entry of the delta, in order.
  std::string listing(const DeltaFacts& delta) {
    return shell("tar -tvzf " + store.path(delta.layer.digest).string() +
                     " | awk '{print $1, $6, $7, $8, $9}' | sed 's/ *$//'",
                 folder.path());
  }
};

}  // namespace

TEST_CASE("a delta has what is new and what is different, with the folders above it, and nothing else") {
  Bases t(
      "mkdir -p usr/bin etc; echo a >usr/bin/a; echo b >etc/b; echo c >etc/c; chmod 600 etc/c",
      "echo new >usr/bin/new; echo changed >etc/b; chmod 644 etc/c; mkdir -p opt/empty; ln -s new usr/bin/link; "
      "touch -d @5 usr/bin/a");
  const auto delta = must(t.make());
  CHECK(t.listing(delta) ==
        "drwxr-xr-x ./etc/\n-rw-r--r-- ./etc/b\n-rw-r--r-- ./etc/c\ndrwxr-xr-x ./opt/\ndrwxr-xr-x ./opt/empty/\n"
        "drwxr-xr-x ./usr/\ndrwxr-xr-x ./usr/bin/\nlrwxrwxrwx ./usr/bin/link -> new\n-rw-r--r-- ./usr/bin/new\n");
  CHECK(delta.removed.empty());
  CHECK(delta.files.at("etc/passwd") == "upper");
}

TEST_CASE("what is gone is a whiteout after its folder, the topmost path only") {
  Bases t("mkdir -p etc/gone/deep top; touch etc/gone/deep/x etc/kept top/x",
          "rm -r etc/gone top; rm etc/kept; mkdir etc/kept; touch etc/kept/y");
  const auto delta = must(t.make());
  CHECK(delta.removed == Texts{"etc/gone", "top"});
  CHECK(t.listing(delta) ==
        "-rw-r--r-- .wh.top\ndrwxr-xr-x ./etc/\n-rw-r--r-- etc/.wh.gone\ndrwxr-xr-x ./etc/kept/\n"
        "-rw-r--r-- ./etc/kept/y\n");
}

TEST_CASE("a further name of a file brings the file along, for a link cannot reach into another layer") {
  Bases t("mkdir a; echo 1 >a/file; echo 2 >a/other; ln a/other a/same", "ln a/file b");
  CHECK(t.listing(must(t.make())) == "drwxr-xr-x ./a/\n-rw-r--r-- ./a/file\nhrw-r--r-- ./b link to ./a/file\n");
}

TEST_CASE("laid over the lower base, a delta gives the upper one") {
  Bases t("mkdir -p etc \"F\xC5\x91\"; echo a >etc/a; echo b >etc/b; printf 'x%.0s' $(seq 200) >long",
          "rm etc/a; echo B >etc/b; echo 1 >\"F\xC5\x91/t\xC5\xB1\"; chmod 2755 etc; mkdir $(printf 'd%.0s' $(seq "
          "150)); "
          "echo deep >$(printf 'd%.0s' $(seq 150))/$(printf 'f%.0s' $(seq 120))");
  const auto delta = must(t.make());
  must(torchkiln::sys::make_directories(t.folder.path("over")));
  const auto unpack = [&](const LayerFacts& layer) {
    shell("tar -xpzf " + t.store.path(layer.digest).string() +
              "; find . -name '.wh.*' | while read -r w; do rm -rf \"$w\" \"$(dirname \"$w\")/$(basename \"$w\" | "
              "cut -c5-)\"; done",
          t.folder.path("over"));
  };
  unpack(t.lower.layer);
  unpack(delta.layer);
  const std::string list =
      "find . -mindepth 1 -printf '%M %p %l\\n' | LC_ALL=C sort; find . -type f -exec sha256sum {} + | LC_ALL=C "
      "sort";
  CHECK(shell(list, t.folder.path("over")) == shell(list, t.folder.path("tree")));
}

TEST_CASE("a delta depends on the two bases alone, and is found again") {
  Bases t("echo a >a", "echo b >b; rm a");
  const auto delta = must(t.make());
  const auto found = find_delta(k_key, t.catalog);
  REQUIRE(found);
  CHECK((found->layer == delta.layer));
  CHECK(found->files == delta.files);
  CHECK(found->removed == Texts{"a"});
  CHECK((must(make_delta(Digest::of("other").hex(), t.lower, t.upper, t.store, t.catalog, t.folder.path("work"), 1))
             .layer == delta.layer));
  CHECK(must(torchkiln::sys::list_directory(t.folder.path("work"))).empty());
  CHECK_FALSE(find_delta(Digest::of("unknown").hex(), t.catalog));
}

TEST_CASE("a base that is damaged in the cache is an error, not a layer") {
  Bases t("echo a >a", "echo b >b");
  must(torchkiln::sys::write_file(t.store.path(t.upper.layer.digest), "no gzip", 0444));
  CHECK(error_of(t.make()).code == ErrorCode::integrity_failed);
}

TEST_CASE("the key of a delta tells which of the two bases is below") {
  const std::vector<CachedDeb> a = {{"a", "1", "amd64", torchkiln::base::Digest::of("a")}},
                               b = {{"b", "1", "amd64", torchkiln::base::Digest::of("b")}};
  const BaseRequest lower{"bookworm", "amd64", a}, upper{"bookworm", "amd64", b};
  CHECK(delta_layer_key(lower, upper) != delta_layer_key(upper, lower));
}
