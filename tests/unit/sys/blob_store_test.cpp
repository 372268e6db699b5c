#include "foundation/sys/blob_store.hpp"

#include "support/child.hpp"
#include "support/test_folder.hpp"

#include <catch2/catch.hpp>
#include <csignal>
#include <sys/stat.h>

using namespace torchkiln::sys;
using torchkiln::base::Digest;
using torchkiln::test::must;
using torchkiln::test::on_small_disk;
using torchkiln::test::TestFolder;

TEST_CASE("a blob lies under its digest, read-only, and nothing lies beside it") {
  TestFolder folder;
  const BlobStore store(folder.path("blobs"));
  const auto digest = must(store.put("abc"));
  CHECK(digest == Digest::of("abc"));
  CHECK(store.contains(digest));
  CHECK(store.path(digest) == folder.path("blobs/sha256/" + digest.hex()));
  CHECK(must(read_file(store.path(digest))) == "abc");
  struct stat status = {};
  REQUIRE(::stat(store.path(digest).c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0444);
  CHECK(must(list_directory(folder.path("blobs/sha256"))) == std::vector<std::string>{digest.hex()});
}

TEST_CASE("a blob written in pieces is known only once it is committed") {
  TestFolder folder;
  const BlobStore store(folder.path("blobs"));
  auto writer = must(store.create());
  must(writer.write("ab"));
  must(writer.write("c"));
  CHECK(writer.size_bytes() == 3);
  CHECK_FALSE(store.contains(Digest::of("abc")));
  CHECK(must(writer.commit()) == Digest::of("abc"));
  CHECK(store.contains(Digest::of("abc")));
}

TEST_CASE("a blob that is never committed leaves nothing") {
  TestFolder folder;
  const BlobStore store(folder.path("blobs"));
  { must(must(store.create()).write("abc")); }
  CHECK(must(list_directory(folder.path("blobs/sha256"))).empty());
}

TEST_CASE("putting a blob twice and removing one that is not there is fine") {
  TestFolder folder;
  const BlobStore store(folder.path("blobs"));
  must(store.put("abc"));
  const auto digest = must(store.put("abc"));
  must(store.remove(digest));
  CHECK_FALSE(store.contains(digest));
  must(store.remove(digest));
}

TEST_CASE("a blob that does not fit on the disk is disk_full and leaves nothing") {
  TestFolder folder;
  must(make_directories(folder.path("blobs")));
  CHECK(on_small_disk(folder.path("blobs"), 1U << 20, [&]() -> std::string {
          const BlobStore store(folder.path("blobs"));
          const auto put = store.put(std::string(4U << 20, 'x'));
          if (put) return "it fitted";
          return std::string(name(put.error().code)) + " " +
                 std::to_string(list_directory(folder.path("blobs/sha256"))->size());
        }) == "disk-full 0");
}

TEST_CASE("a blob whose bytes changed is found out and removed, so that it is made again") {
  TestFolder folder;
  const BlobStore store(folder.path("blobs"));
  const auto digest = must(store.put(std::string(3'000'000, 'x')));
  CHECK(must(store.contains_whole(digest)));
  must(write_file(store.path(digest), std::string(2'999'999, 'x') + "y", 0444));
  CHECK(store.contains(digest));
  CHECK_FALSE(must(store.contains_whole(digest)));
  CHECK_FALSE(store.contains(digest));
  CHECK_FALSE(must(store.contains_whole(digest)));
}

TEST_CASE("what a killed writer left is removed, and nothing else") {
  TestFolder folder;
  const BlobStore store(folder.path("blobs"));
  must(store.remove_leftovers());
  CHECK(torchkiln::test::in_child([&]() -> std::string {
          auto writer = store.create();
          (void)writer->write("half of it");
          ::kill(::getpid(), SIGKILL);
          return "";
        }) == " (died of signal 9)");
  const auto digest = must(store.put("abc"));
  folder.write("blobs/sha256/" + Digest::of("x").hex() + ".part", "a download that can be resumed");
  CHECK(must(list_directory(folder.path("blobs/sha256"))).size() == 3);
  must(store.remove_leftovers());
  CHECK(must(list_directory(folder.path("blobs/sha256"))) ==
        std::vector<std::string>{Digest::of("x").hex() + ".part", digest.hex()});
}
