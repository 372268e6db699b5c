#include "assembly/layer/base_layer.hpp"

#include "assembly/layer/deb_package.hpp"
#include "foundation/base/text.hpp"
#include "foundation/sys/process.hpp"
#include "support/bootstrap.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>

using namespace torchkiln::layer;
using torchkiln::base::Digest;
using torchkiln::base::ErrorCode;
using torchkiln::base::Result;
using torchkiln::sys::BlobStore;
using torchkiln::test::error_of;
using torchkiln::test::FakeBootstrap;
using torchkiln::test::FakeTool;
using torchkiln::test::k_accounts;
using torchkiln::test::k_built_s;
using torchkiln::test::make_deb;
using torchkiln::test::make_tar;
using torchkiln::test::must;
using torchkiln::test::TestFolder;
using Texts = std::vector<std::string>;

namespace {

struct Base {
  TestFolder folder;
  BlobStore debs{folder.path("debs")}, store{folder.path("store")};
  LayerCatalog catalog{folder.path("layers")};
  std::vector<CachedDeb> packages;
  torchkiln::base::SilentProgress progress;
  const char* tmpdir_before = std::getenv("TMPDIR");

  /// A folder for temporary files that everybody may enter.
  Base() {
    must(torchkiln::sys::set_mode(folder.path(), 0755));
    must(torchkiln::sys::make_directories(folder.path("tmp")));
    ::setenv("TMPDIR", folder.path("tmp").c_str(), 1);
  }
  ~Base() {
    if (tmpdir_before)
      ::setenv("TMPDIR", tmpdir_before, 1);
    else
      ::unsetenv("TMPDIR");
  }
  Base(const Base&) = delete;
  Base& operator=(const Base&) = delete;

  void add(const std::string& name, const std::string& version, std::int64_t time_s = k_built_s) {
    packages.push_back({name, version, "amd64", must(debs.put(make_deb(folder, name, version, "xz", time_s)))});
  }
  BaseRequest request() const { return {"bookworm", "amd64", packages}; }
  Result<BaseFacts> make() {
    torchkiln::base::Step step(progress, "Bootstrapping", "a test");
    return make_base(request(), debs, store, catalog, 2, step);
  }
};

}  // namespace

TEST_CASE("a Debian package tells its control file and when it was built, however it is compressed") {
  const TestFolder folder;
  for (const char* compression : {"xz", "gzip", "zstd", "none"}) {
    folder.write("x", make_deb(folder, "demo", "1:2.0-3", compression));
    const auto package = must(read_deb(folder.path("x"), "demo.deb"));
    CHECK(package.control ==
          "Package: demo\nVersion: 1:2.0-3\nArchitecture: amd64\nMaintainer: nobody <n@x.example>\nDescription: a "
          "test\n with two lines");
    CHECK(package.time_s == k_built_s);
  }
}

TEST_CASE("what is no Debian package is refused by its name") {
  const TestFolder folder;
  const auto whole = make_deb(folder, "demo", "1.0");
  for (const std::string& bytes :
       {std::string(), std::string("not a package"), std::string("!<arch>\n"), whole.substr(0, 150),
        std::string("!<arch>\ndebian-binary   1700000000  0     0     100644  4         `\n2.0\n")}) {
    folder.write("x", bytes);
    const auto error = error_of(read_deb(folder.path("x"), "demo.deb"));
    CHECK(error.code == ErrorCode::input_invalid);
    CHECK_THAT(error.message, Catch::Matchers::StartsWith("demo.deb is no Debian package: "));
  }
  CHECK_THAT(error_of(read_deb(folder.path("none"), "demo.deb")).message,
             Catch::Matchers::StartsWith("demo.deb is no Debian package: "));
}

TEST_CASE("the base's key depends on packages, suite and architecture, not on the packages' order") {
  const CachedDeb a{"a", "1", "amd64", Digest::of("a")}, b{"b", "1", "amd64", Digest::of("b")};
  const std::vector<CachedDeb> two = {a, b}, reversed = {b, a}, one = {a};
  const auto key = base_layer_key({"bookworm", "amd64", two});
  CHECK(key == base_layer_key({"bookworm", "amd64", reversed}));
  CHECK(key != base_layer_key({"bookworm", "amd64", one}));
  CHECK(key != base_layer_key({"trixie", "amd64", two}));
  CHECK(key != base_layer_key({"bookworm", "arm64", two}));
}

TEST_CASE("a tar becomes the same layer whatever the number of threads") {
  const TestFolder folder;
  const BlobStore store(folder.path("store"));
  std::string tar(9'000'000, '\0');
  std::uint32_t state = 1;
  for (std::size_t i = 0; i < tar.size(); ++i)
    tar[i] = static_cast<char>("abcdefgh"[(state = state * 1664525 + 1) >> 29]);
  folder.write("x.tar", tar);
  const auto one = must(compress_tar(folder.path("x.tar"), store, 1));
  for (const unsigned threads : {2U, 3U, 8U})
    CHECK((must(compress_tar(folder.path("x.tar"), store, threads)) == one));
  CHECK(one.diff_id == Digest::of(tar));
  CHECK(one.unpacked_bytes == tar.size());
  CHECK(one.size_bytes == torchkiln::sys::size_of_file(store.path(one.digest)));
  torchkiln::sys::Command gunzip;
  gunzip.arguments = {"sh", "-c", "gzip -dc < \"$0\" | cmp - \"$1\"", store.path(one.digest).string(),
                      folder.path("x.tar").string()};
  must(torchkiln::sys::run_checked(gunzip));
}

TEST_CASE("an empty tar is an empty gzip file, not an empty file") {
  const TestFolder folder;
  const BlobStore store(folder.path("store"));
  folder.write("x.tar", "");
  const auto facts = must(compress_tar(folder.path("x.tar"), store, 2));
  CHECK(facts.diff_id == Digest::of(""));
  CHECK(facts.size_bytes > 0);
}

TEST_CASE("a base is made from a repository of exactly its packages") {
  Base t;
  t.add("zlib1g", "1:1.2.13", k_built_s + 5);
  t.add("dash", "0.5~x+y", k_built_s);
  const FakeBootstrap mmdebstrap;
  const auto facts = must(t.make());
  CHECK(facts.time_s == k_built_s + 5);
  CHECK(facts.files == std::map<std::string, std::string>{{"etc/passwd", k_accounts.at("etc/passwd")},
                                                          {"etc/group", k_accounts.at("etc/group")},
                                                          {"etc/shadow", k_accounts.at("etc/shadow")},
                                                          {"etc/skel/.profile", "# profile\n"}});
  CHECK(t.store.contains(facts.layer.digest));
  CHECK(must(torchkiln::sys::list_directory(t.folder.path("tmp"))).empty());

  REQUIRE(mmdebstrap.calls().size() == 1);
  const auto arguments = mmdebstrap.calls()[0];
  const auto has = [&](const std::string& argument) {
    return std::find(arguments.begin(), arguments.end(), argument) != arguments.end();
  };
  CHECK(has("--architectures=amd64"));
  CHECK(has("--include=dash,zlib1g"));
  CHECK(has("--variant=essential"));
  CHECK(has("bookworm"));
  CHECK(has(::geteuid() == 0 ? "--mode=root" : "--mode=unshare"));
  CHECK_THAT(
      mmdebstrap.text("environment"),
      Catch::Matchers::StartsWith(std::to_string(k_built_s + 5) + " UTC C.UTF-8 " + t.folder.path("tmp").string()));
  CHECK(mmdebstrap.text("repository/pool/zlib1g_1_3a1.2.13_amd64.deb") ==
        must(torchkiln::sys::read_file(t.debs.path(t.packages[0].digest))));
  const auto packages = mmdebstrap.text("repository/dists/bookworm/main/binary-amd64/Packages");
  CHECK_THAT(packages, Catch::Matchers::StartsWith("Package: zlib1g\nVersion: 1:1.2.13\n") &&
                           Catch::Matchers::Contains("\nFilename: pool/dash_0.5~x+y_amd64.deb\nSize: ") &&
                           Catch::Matchers::Contains("\nSHA256: " + t.packages[1].digest.hex() + "\n\n"));
  CHECK_THAT(mmdebstrap.text("repository/dists/bookworm/Release"),
             Catch::Matchers::Contains(" " + Digest::of(packages).hex() + " " + std::to_string(packages.size()) +
                                       " main/binary-amd64/Packages\n"));
}

TEST_CASE("a folder for temporary files that others may not enter is not used: mmdebstrap works as another user") {
  Base t;
  t.add("dash", "1");
  const FakeBootstrap mmdebstrap;
  must(torchkiln::sys::set_mode(t.folder.path("tmp"), 0700));
  must(t.make());
  CHECK(mmdebstrap.text("environment").find(t.folder.path("tmp").string()) == std::string::npos);
  CHECK_THAT(mmdebstrap.text("environment"), Catch::Matchers::Contains("tmp/torchkiln-base-"));
}

TEST_CASE("a base that was made is found again, and no longer when its facts cannot be read") {
  Base t;
  t.add("dash", "1");
  const FakeBootstrap mmdebstrap;
  CHECK_FALSE(find_base(t.request(), t.catalog).has_value());
  const auto made = must(t.make());
  const auto found = find_base(t.request(), t.catalog);
  REQUIRE(found);
  CHECK((found->layer == made.layer));
  CHECK(found->time_s == made.time_s);
  CHECK(found->files == made.files);
  const auto key = base_layer_key(t.request());
  for (const char* note : {"", "{}", "[]", "{\"time\": 1}", "{\"time\": \"1\", \"files\": {}}",
                           "{\"time\": 1, \"files\": []}", "{\"time\": 1, \"files\": {\"etc/passwd\": 1}}"}) {
    must(t.catalog.add(key, {made.layer, note}));
    CHECK_FALSE(find_base(t.request(), t.catalog).has_value());
  }
  CHECK((must(t.make()).layer == made.layer));
}

TEST_CASE("a bootstrap that fails tells what it said and leaves no layer, no entry and no work") {
  Base t;
  t.add("dash", "1");
  const FakeTool mmdebstrap("mmdebstrap", "echo 'E: it broke' >&2; exit 25");
  const auto error = error_of(t.make());
  CHECK(error.code == ErrorCode::tool_failed);
  CHECK(error.message == "'mmdebstrap' failed with status 25");
  CHECK(error.notes == Texts{"E: it broke"});
  CHECK(must(torchkiln::sys::list_directory(t.folder.path("tmp"))).empty());
  CHECK_FALSE(std::filesystem::exists(t.folder.path("layers")));
  CHECK_FALSE(find_base(t.request(), t.catalog).has_value());
}

TEST_CASE("an archive without accounts, or that is no archive, is the tool's failure") {
  Base t;
  t.add("dash", "1");
  const FakeBootstrap mmdebstrap;
  auto accounts = k_accounts;
  accounts.erase("etc/shadow");
  mmdebstrap.give(make_tar(t.folder, accounts));
  const auto error = error_of(t.make());
  CHECK(error.code == ErrorCode::tool_failed);
  CHECK(error.message == "the base has no etc/shadow");
  mmdebstrap.give("no archive at all");
  CHECK_THAT(error_of(t.make()).message, Catch::Matchers::StartsWith("the base cannot be read: "));
  CHECK_FALSE(find_base(t.request(), t.catalog).has_value());
}

TEST_CASE("a cached package whose bytes changed is found out before it is installed") {
  Base t;
  t.add("dash", "1");
  auto bytes = must(torchkiln::sys::read_file(t.debs.path(t.packages[0].digest)));
  bytes[bytes.size() - 3] = static_cast<char>(bytes[bytes.size() - 3] ^ 1);
  must(torchkiln::sys::write_file(t.debs.path(t.packages[0].digest), bytes, 0444));
  const FakeBootstrap mmdebstrap;
  // apt compares it with the index of the repository: the index must state the lock's digest, not the file's.
  must(t.make());
  CHECK_THAT(mmdebstrap.text("repository/dists/bookworm/main/binary-amd64/Packages"),
             Catch::Matchers::Contains("\nSHA256: " + t.packages[0].digest.hex() + "\n"));
}

TEST_CASE("packages are put on an image that is there, and an image without any is a base as it is") {
  Base t;
  const FakeBootstrap mmdebstrap;
  const auto tar = make_tar(t.folder, k_accounts);
  const std::vector<ImageLayer> image = {{must(t.store.put(tar)), Digest::of(tar)}};
  torchkiln::base::Step step(t.progress, "Bootstrapping", "a test");
  const BaseRequest as_it_is{"bookworm", "amd64", {}, image};
  const auto base = must(make_base(as_it_is, t.debs, t.store, t.catalog, 2, step));
  CHECK(base.files.at("etc/passwd") == k_accounts.at("etc/passwd"));
  CHECK(mmdebstrap.calls().empty());
  t.add("tini", "0.19");
  const BaseRequest with_tini{"bookworm", "amd64", t.packages, image};
  CHECK(base_layer_key(with_tini) != base_layer_key(t.request()));
  CHECK(base_layer_key(with_tini) != base_layer_key(as_it_is));
  must(make_base(with_tini, t.debs, t.store, t.catalog, 2, step));
  const auto calls = mmdebstrap.calls();
  REQUIRE(calls.size() == 1);
  const auto& call = calls.front();
  CHECK(std::count(call.begin(), call.end(), "--variant=custom") == 1);
  CHECK(std::count_if(call.begin(), call.end(), [](const std::string& word) {
          return word.starts_with("--setup-hook=") && word.find("image.tar") != std::string::npos;
        }) == 1);
}
