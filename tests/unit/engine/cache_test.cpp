#include "assembly/engine/cache.hpp"

#include "support/child.hpp"
#include "support/test_folder.hpp"

#include <catch2/catch.hpp>
#include <sys/stat.h>

using torchkiln::base::ErrorCode;
using torchkiln::engine::Cache;
using torchkiln::test::error_of;
using torchkiln::test::in_child;
using torchkiln::test::must;
using torchkiln::test::TestFolder;
using Texts = std::vector<std::string>;

namespace {
Cache cache_in(const TestFolder& folder) {
  return Cache(folder.path("cache"), "/proc/self/exe");
}
}  // namespace

TEST_CASE("a cache is made with its folder for work, whatever the umask, and made again at no cost") {
  const TestFolder folder;
  const auto before = ::umask(0);
  must(cache_in(folder).prepare());
  ::umask(before);
  must(cache_in(folder).prepare());
  struct stat status = {};
  REQUIRE(::stat(folder.path("cache").c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0755);
  CHECK(std::filesystem::is_directory(folder.path("cache/work")));
}

TEST_CASE("a cache that everybody may write to is refused: what lies in it is run") {
  const TestFolder folder;
  must(cache_in(folder).prepare());
  ::chmod(folder.path("cache").c_str(), 0777);
  const auto error = error_of(cache_in(folder).prepare());
  CHECK(error.code == ErrorCode::file_failed);
  CHECK(error.message == "everybody may write to the cache folder " + folder.path("cache").string());
  CHECK(error.hints == Texts{"chmod o-w " + folder.path("cache").string()});
  ::chmod(folder.path("cache").c_str(), 01777);
  CHECK(error_of(cache_in(folder).prepare()).code == ErrorCode::file_failed);
}

TEST_CASE("a cache of another user is refused") {
  if (::geteuid() != 0) {
    // An ordinary user has foreign folders at hand.
    CHECK(error_of(Cache("/usr", "/proc/self/exe").prepare()).message ==
          "the cache folder /usr belongs to another user");
    return;
  }
  const TestFolder folder;
  must(cache_in(folder).prepare());
  REQUIRE(::chown(folder.path("cache").c_str(), 12345, 12345) == 0);
  const auto error = error_of(cache_in(folder).prepare());
  CHECK(error.code == ErrorCode::file_failed);
  CHECK(error.message == "the cache folder " + folder.path("cache").string() + " belongs to another user");
  CHECK(error.hints == Texts{"name a folder of your own with --cache DIR or TORCHKILN_CACHE"});
}

TEST_CASE("a cache where a file lies is an error with its name") {
  const TestFolder folder;
  folder.write("cache", "");
  CHECK(error_of(cache_in(folder).prepare()).message ==
        "cannot create folder " + folder.path("cache").string() + ": Not a directory");
}

TEST_CASE("the cache lies where TORCHKILN_CACHE, XDG_CACHE_HOME or the home folder say, in this order") {
  CHECK(in_child([]() -> std::string {
          ::setenv("HOME", "/h", 1);
          ::setenv("XDG_CACHE_HOME", "/x", 1);
          ::setenv("TORCHKILN_CACHE", "/t", 1);
          std::string text = Cache::default_root().string();
          ::unsetenv("TORCHKILN_CACHE");
          text += " " + Cache::default_root().string();
          ::unsetenv("XDG_CACHE_HOME");
          return text + " " + Cache::default_root().string();
        }) == "/t /x/torchkiln /h/.cache/torchkiln");
}

TEST_CASE("whoever takes the cache removes what a killed process left, and keeps what can be used") {
  const TestFolder folder;
  const auto cache = cache_in(folder);
  must(cache.prepare());
  const auto blob = must(cache.blobs().put("kept"));
  for (const char* name : {"blobs/sha256/.new.abc123", "blobs/sha256/aaaa.part", "work/uv-abc123/x",
                           "work/verifier-abc123/build/x", "work/container-abc123/x", "layers/key.json"})
    must(torchkiln::sys::write_file(folder.path("cache") / name, "x"));
  const auto lock = must(cache.lock([](std::string_view) {}));
  CHECK(must(torchkiln::sys::list_directory(folder.path("cache/blobs/sha256"))) == Texts{blob.hex(), "aaaa.part"});
  CHECK(must(torchkiln::sys::list_directory(folder.path("cache/work"))) == Texts{"container-abc123"});
  CHECK(std::filesystem::exists(folder.path("cache/layers/key.json")));
}
