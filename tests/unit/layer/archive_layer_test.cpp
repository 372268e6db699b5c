#include "assembly/layer/archive_layer.hpp"

#include "foundation/sys/process.hpp"
#include "support/test_folder.hpp"

#include <catch2/catch.hpp>

using namespace torchkiln::layer;
using torchkiln::base::ErrorCode;
using torchkiln::sys::BlobStore;
using torchkiln::test::error_of;
using torchkiln::test::must;
using torchkiln::test::TestFolder;

namespace {

struct Archives {
  TestFolder folder;
  BlobStore store{folder.path("store")};
  std::vector<CachedArchive> archives;

  /// An archive of what `script` makes below the folder at its top.
  void add(const std::string& name, const std::string& script, const std::string& options = "") {
    torchkiln::sys::Command command;
    command.arguments = {"sh",
                         "-c",
                         "umask 077 && mkdir -p \"$1/top/bin\" && cd \"$1/top\" && " + script +
                             " && cd .. && tar " + options + " -cJf \"$2\" *",
                         "sh",
                         folder.path("tree-" + name).string(),
                         folder.path(name + ".tar.xz").string()};
    must(torchkiln::sys::run_checked(command));
    archives.push_back({name, must(store.put(folder.text(name + ".tar.xz")))});
  }
  torchkiln::base::Result<LayerFacts> make() {
    return make_archive_layer(archives, "usr/local/cuda-12.8", store, folder.path(), 2);
  }
  std::string listing(const LayerFacts& facts) const {
    torchkiln::sys::Command command;
    command.arguments = {"tar", "--numeric-owner", "--utc", "-tvzf", store.path(facts.digest).string()};
    command.environment = std::map<std::string, std::string>{{"PATH", "/usr/bin:/bin"}, {"LC_ALL", "C"}};
    return must(torchkiln::sys::run_checked(command)).output;
  }
};

}  // namespace

TEST_CASE("archives become one folder, with root's files and constant times, whatever they say themselves") {
  Archives t;
  t.add("cuda_nvcc", "echo nvcc >bin/nvcc && chmod 700 bin/nvcc && echo licence >LICENSE && ln -s nvcc bin/cc");
  t.add("cuda_cudart", "mkdir include && echo h >include/cuda.h && echo other >LICENSE");
  const auto facts = must(t.make());
  CHECK(t.listing(facts) ==
        "drwxr-xr-x 0/0               0 1980-01-01 00:00 usr/\n"
        "drwxr-xr-x 0/0               0 1980-01-01 00:00 usr/local/\n"
        "drwxr-xr-x 0/0               0 1980-01-01 00:00 usr/local/cuda-12.8/\n"
        "-rw-r--r-- 0/0               6 1980-01-01 00:00 usr/local/cuda-12.8/LICENSE.cuda_cudart\n"
        "-rw-r--r-- 0/0               8 1980-01-01 00:00 usr/local/cuda-12.8/LICENSE.cuda_nvcc\n"
        "drwxr-xr-x 0/0               0 1980-01-01 00:00 usr/local/cuda-12.8/bin/\n"
        "lrwxrwxrwx 0/0               0 1980-01-01 00:00 usr/local/cuda-12.8/bin/cc -> nvcc\n"
        "-rwxr-xr-x 0/0               5 1980-01-01 00:00 usr/local/cuda-12.8/bin/nvcc\n"
        "drwxr-xr-x 0/0               0 1980-01-01 00:00 usr/local/cuda-12.8/include/\n"
        "-rw-r--r-- 0/0               2 1980-01-01 00:00 usr/local/cuda-12.8/include/cuda.h\n");
  CHECK(must(t.make()).digest == facts.digest);
  std::swap(t.archives[0], t.archives[1]);
  CHECK(must(t.make()).digest == facts.digest);
}

TEST_CASE("a layer of archives is known by them and by its folder") {
  Archives t;
  t.add("a", "echo 1 >bin/a");
  const auto key = archive_layer_key(t.archives, "usr/local/cuda-12.8");
  CHECK(key != archive_layer_key(t.archives, "usr/local/cuda-12.9"));
  t.add("b", "echo 1 >bin/b");
  CHECK(key != archive_layer_key(t.archives, "usr/local/cuda-12.8"));
}

TEST_CASE("archives may have a file in common, and not one that differs") {
  Archives t;
  t.add("a", "echo same >bin/x");
  t.add("b", "echo same >bin/x");
  must(t.make());
  t.add("c", "echo other >bin/x");
  const auto error = error_of(t.make());
  CHECK(error.code == ErrorCode::package_conflict);
  CHECK(error.message == "the archives of a and c both make bin/x");
}

TEST_CASE("an archive that leads out of its folder, or is none, is refused") {
  const auto refused = [](const std::string& script, const std::string& options = "") {
    Archives t;
    t.add("a", script, options);
    const auto error = error_of(t.make());
    CHECK(error.code == ErrorCode::input_invalid);
    return error.message;
  };
  CHECK(refused("ln -s ../../../etc/passwd bin/x") ==
        "the archive of a holds a link 'bin/x' to '../../../etc/passwd'");
  CHECK(refused("ln -s /etc/passwd bin/x") == "the archive of a holds a link 'bin/x' to '/etc/passwd'");
  CHECK(refused("echo 1 >bin/x", "-P --transform s,top/bin/x,top/../../x,") ==
        "the archive of a holds 'top/../../x', which leads out of it");
  CHECK(refused("mkfifo bin/x") == "the archive of a holds 'bin/x', which is neither file nor link");
  Archives none;
  none.archives.push_back({"a", must(none.store.put("not an archive"))});
  CHECK_THAT(error_of(none.make()).message, Catch::Matchers::StartsWith("the archive of a cannot be read: "));
}
