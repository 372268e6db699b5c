#include "foundation/sys/files.hpp"

#include "foundation/sys/environment.hpp"
#include "support/child.hpp"
#include "support/test_folder.hpp"

#include <catch2/catch.hpp>
#include <csignal>
#include <cstring>
#include <sys/stat.h>
#include <thread>

using namespace torchkiln::sys;
using torchkiln::base::ErrorCode;
using torchkiln::test::error_of;
using torchkiln::test::in_child;
using torchkiln::test::must;
using torchkiln::test::on_small_disk;
using torchkiln::test::TestFolder;

namespace {

unsigned mode_of(const fs::path& path) {
  struct stat status = {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 07777;
}

std::vector<std::string> names_in(const fs::path& folder) {
  return must(list_directory(folder));
}

/// The umask for the length of a test.
struct Umask {
  mode_t before;
  explicit Umask(mode_t mask) : before(::umask(mask)) {}
  ~Umask() { ::umask(before); }
};

}  // namespace

TEST_CASE("a file is written with its folders, exact mode and nothing beside it, whatever the umask") {
  for (const mode_t mask : {0000U, 0077U, 0777U}) {
    TestFolder folder;
    const Umask umask(mask);
    must(write_file(folder.path("a/b/c.txt"), "text", 0640));
    CHECK(must(read_file(folder.path("a/b/c.txt"))) == "text");
    CHECK(mode_of(folder.path("a/b/c.txt")) == 0640);
    CHECK(mode_of(folder.path("a/b")) == 0755);
    CHECK(mode_of(folder.path("a")) == 0755);
    CHECK(names_in(folder.path("a/b")) == std::vector<std::string>{"c.txt"});
  }
}

TEST_CASE("writing a file again replaces it whole and gives it the new mode") {
  TestFolder folder;
  must(write_file(folder.path("x"), "a long first content", 0600));
  must(write_file(folder.path("x"), "short", 0644));
  CHECK(folder.text("x") == "short");
  CHECK(mode_of(folder.path("x")) == 0644);
  CHECK(names_in(folder.path()) == std::vector<std::string>{"x"});
}

TEST_CASE("a file being written is not there before it is committed, and leaves nothing when it never is") {
  TestFolder folder;
  folder.write("x", "before");
  {
    auto file = must(AtomicFile::create(folder.path("x")));
    must(file.write("half of wh"));
    CHECK(folder.text("x") == "before");
    CHECK(names_in(folder.path()).size() == 2);
  }
  CHECK(names_in(folder.path()) == std::vector<std::string>{"x"});
  CHECK(folder.text("x") == "before");
}

TEST_CASE("a commit that cannot take its place leaves nothing behind") {
  TestFolder folder;
  must(make_directories(folder.path("x/full")));
  const auto error = error_of(write_file(folder.path("x"), "text"));
  CHECK(error.code == ErrorCode::file_failed);
  CHECK(error.message == "cannot write " + folder.path("x").string() + ": Is a directory");
  CHECK(names_in(folder.path()) == std::vector<std::string>{"x"});
}

TEST_CASE("a file in the place of a folder is named") {
  TestFolder folder;
  folder.write("x", "");
  const auto error = error_of(write_file(folder.path("x/y"), "text"));
  CHECK(error.code == ErrorCode::file_failed);
  CHECK(error.message == "cannot create folder " + folder.path("x").string() + ": Not a directory");
}

TEST_CASE("a folder that may not be written says whose mode to check") {
  TestFolder folder;
  must(make_directories(folder.path("closed"), 0555));
  ::chmod(folder.path().c_str(), 0755);
  const auto said = in_child([&]() -> std::string {
    // Root may write everywhere, so be somebody else.
    if (::geteuid() == 0 && (::setgid(65534) != 0 || ::setuid(65534) != 0)) return "cannot become nobody";
    const auto result = write_file(folder.path("closed/x"), "text");
    if (result) return "written";
    return std::string(name(result.error().code)) + " | " + result.error().message + " | " +
           (result.error().hints.empty() ? "" : result.error().hints[0]);
  });
  const auto closed = folder.path("closed").string();
  CHECK(said == "file-failed | cannot write " + closed + "/x: Permission denied | check the owner and mode of " +
                    closed + ", or choose another folder");
}

TEST_CASE("a file that is not there, or too large, is an error with its name") {
  TestFolder folder;
  CHECK(error_of(read_file(folder.path("none"))).message ==
        "cannot read " + folder.path("none").string() + ": No such file or directory");
  folder.write("x", std::string(101, 'x'));
  CHECK(must(read_file(folder.path("x"), 101)).size() == 101);
  const auto error = error_of(read_file(folder.path("x"), 100));
  CHECK(error.code == ErrorCode::input_invalid);
  CHECK(error.message == folder.path("x").string() + " is larger than the limit of 100 B");
  CHECK(error_of(read_file(folder.path())).message == "cannot read " + folder.path().string() + ": Is a directory");
}

TEST_CASE("a memory map shows the file, and an empty file shows nothing") {
  TestFolder folder;
  folder.write("x", std::string(10000, 'y'));
  folder.write("empty", "");
  const auto file = must(MappedFile::open(folder.path("x")));
  CHECK(file.text() == std::string(10000, 'y'));
  file.forget(0, 10000);
  file.forget(1, 2);
  CHECK(file.text()[5000] == 'y');
  CHECK(must(MappedFile::open(folder.path("empty"))).bytes().empty());
}

TEST_CASE("a full disk is disk_full, the hint says what to do, and nothing half-written stays") {
  TestFolder folder;
  must(make_directories(folder.path("disk")));
  const auto said = on_small_disk(folder.path("disk"), 1U << 20, [&]() -> std::string {
    if (!write_file(folder.path("disk/old"), "kept")) return "the disk is full too early";
    const auto written = write_file(folder.path("disk/x"), std::string(4U << 20, 'x'));
    if (written) return "4 MiB fitted into 1 MiB";
    std::string text = std::string(name(written.error().code)) + " | " + written.error().message + " | ";
    for (const auto& entry : names_in(folder.path("disk"))) text += entry + " ";
    const auto replaced = write_file(folder.path("disk/old"), std::string(4U << 20, 'x'));
    text +=
        std::string("| ") + std::string(name(replaced.error().code)) + " " + *read_file(folder.path("disk/old"));
    if (!write_file(folder.path("disk/y"), std::string(500'000, 'y'))) text += " and its space is lost";
    return text;
  });
  CHECK(said == "disk-full | cannot write " + folder.path("disk/x").string() +
                    ": No space left on device | old | disk-full kept");
}

TEST_CASE("EDQUOT is a full disk too") {
  CHECK(file_error("write", "/x", EDQUOT).code == ErrorCode::disk_full);
  CHECK(file_error("write", "/x", ENOSPC).code == ErrorCode::disk_full);
  CHECK(file_error("write", "/x", EIO).code == ErrorCode::file_failed);
}

TEST_CASE("a link is made on one file system and a copy across two, with the same bytes") {
  TestFolder folder;
  const auto bytes = std::string(3U << 20, 'b') + "end";
  folder.write("from", bytes);
  must(link_or_copy(folder.path("from"), folder.path("to")));
  CHECK(fs::hard_link_count(folder.path("to")) == 2);
  must(make_directories(folder.path("disk")));
  const auto said = on_small_disk(folder.path("disk"), 8U << 20, [&]() -> std::string {
    const auto copied = link_or_copy(folder.path("from"), folder.path("disk/to"));
    if (!copied) return copied.error().message;
    std::string text = *read_file(folder.path("disk/to")) == bytes ? "same" : "different";
    text += " " + std::to_string(fs::hard_link_count(folder.path("disk/to")));
    if (names_in(folder.path("disk")).size() != 1) text += " and something beside it";
    return text;
  });
  CHECK(said == "same 1");
}

TEST_CASE("a copy that does not fit is disk_full and leaves nothing") {
  TestFolder folder;
  folder.write("from", std::string(3U << 20, 'b'));
  must(make_directories(folder.path("disk")));
  CHECK(on_small_disk(folder.path("disk"), 1U << 20, [&]() -> std::string {
          const auto copied = link_or_copy(folder.path("from"), folder.path("disk/to"));
          if (copied) return "copied";
          return std::string(name(copied.error().code)) + " " +
                 std::to_string(list_directory(folder.path("disk"))->size());
        }) == "disk-full 0");
}

TEST_CASE("linking what is there already changes nothing") {
  TestFolder folder;
  folder.write("from", "a");
  folder.write("to", "b");
  must(link_or_copy(folder.path("from"), folder.path("to")));
  CHECK(folder.text("to") == "b");
}

TEST_CASE("names in a folder are sorted by byte value") {
  TestFolder folder;
  for (const char* name : {"b", "a", "B", "\xC3\xA4", "a.b", "a-b"}) folder.write(name, "");
  CHECK(names_in(folder.path()) == std::vector<std::string>{"B", "a", "a-b", "a.b", "b", "\xC3\xA4"});
  CHECK(error_of(list_directory(folder.path("none"))).code == ErrorCode::file_failed);
}

TEST_CASE("sizes are those of regular files only") {
  TestFolder folder;
  folder.write("x", "abc");
  CHECK(size_of_file(folder.path("x")) == 3);
  CHECK_FALSE(size_of_file(folder.path()).has_value());
  CHECK_FALSE(size_of_file(folder.path("none")).has_value());
  CHECK(must(free_space_bytes(folder.path())) > 0);
  CHECK(error_of(free_space_bytes(folder.path("none"))).code == ErrorCode::file_failed);
}

TEST_CASE("a temporary folder is private and goes with everything in it, closed folders too") {
  TestFolder folder;
  fs::path path;
  {
    const auto temporary = must(TemporaryDirectory::create(folder.path("work"), "uv-"));
    path = temporary.path();
    CHECK(mode_of(path) == 0700);
    CHECK_THAT(path.filename().string(), Catch::Matchers::StartsWith("uv-"));
    must(write_file(path / "a/b/c", "x"));
    ::chmod((path / "a/b").c_str(), 0555);
    ::chmod((path / "a").c_str(), 0111);
  }
  CHECK_FALSE(fs::exists(path));
  CHECK(fs::exists(folder.path("work")));
}

TEST_CASE("removing a tree removes links, never what they point to") {
  TestFolder folder;
  must(write_file(folder.path("outside/x"), "kept"));
  must(make_directories(folder.path("tree")));
  fs::create_symlink("../outside", folder.path("tree/link"));
  must(remove_tree(folder.path("tree")));
  CHECK_FALSE(fs::exists(folder.path("tree")));
  CHECK(folder.text("outside/x") == "kept");
  must(remove_tree(folder.path("tree")));
}

TEST_CASE("a lock is held by one process at a time, and whoever waits is told who holds it") {
  TestFolder folder;
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  const pid_t holder = ::fork();
  REQUIRE(holder >= 0);
  if (holder == 0) {
    const auto lock = FileLock::acquire(folder.path("lock"), [](std::string_view) {});
    (void)!::write(ready[1], "x", 1);
    for (;;) ::pause();
  }
  char byte = 0;
  REQUIRE(::read(ready[0], &byte, 1) == 1);
  std::vector<std::string> told;
  const double start_s = monotonic_s();
  const auto lock = must(FileLock::acquire(folder.path("lock"), [&](std::string_view pid) {
    told.emplace_back(pid);
    std::thread([holder] {
      ::usleep(300'000);
      ::kill(holder, SIGKILL);  // a lock dies with its process, however that dies
      ::waitpid(holder, nullptr, 0);
    }).detach();
  }));
  CHECK(told == std::vector<std::string>{std::to_string(holder)});
  CHECK(monotonic_s() - start_s >= 0.25);
  CHECK(monotonic_s() - start_s < 5);
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST_CASE("a free lock is taken at once and free again afterwards") {
  TestFolder folder;
  bool waited = false;
  for (int i = 0; i < 2; ++i)
    (void)must(FileLock::acquire(folder.path("a/lock"), [&](std::string_view) { waited = true; }));
  CHECK_FALSE(waited);
  CHECK(folder.text("a/lock") == std::to_string(::getpid()) + "\n");
}

TEST_CASE("a mode is set exactly, or the file is named") {
  TestFolder folder;
  folder.write("x", "");
  must(set_mode(folder.path("x"), 0751));
  CHECK(mode_of(folder.path("x")) == 0751);
  CHECK(error_of(set_mode(folder.path("none"), 0644)).message ==
        "cannot change the mode of " + folder.path("none").string() + ": No such file or directory");
}
