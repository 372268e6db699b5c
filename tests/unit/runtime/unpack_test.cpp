// Layers become folders: what the tar says, all of it, and nothing else.

#include "assembly/runtime/tar_reader.hpp"
#include "foundation/sys/process.hpp"
#include "layers.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

using namespace torchkiln;
using runtime::Layer;
using test::TarText;
using test::Workshop;
namespace fs = std::filesystem;

namespace {

struct stat status_of(const fs::path& path) {
  struct stat status = {};
  INFO(path.string());
  REQUIRE(::lstat(path.c_str(), &status) == 0);
  return status;
}

std::string content_of(const fs::path& path) {
  const auto text = sys::read_file(path);
  INFO(path.string());
  REQUIRE(text);
  return *text;
}

/// A megabyte that does not compress to nothing.
std::string noise(std::size_t size_bytes) {
  std::string text(size_bytes, '\0');
  std::uint32_t state = 12345;
  for (auto& byte : text) byte = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  return text;
}

std::string small_tree() {
  return TarText().folder("./").folder("usr/").file("usr/a", "alpha").file("usr/b", noise(1 << 20)).text();
}

base::Error refusal(Workshop& here, const Layer& layer) {
  const auto unpacked = here.store.unpack(layer);
  REQUIRE_FALSE(unpacked);
  CHECK_FALSE(here.store.contains(layer.diff_id));
  CHECK(here.leftovers().empty());
  return unpacked.error();
}

}  // namespace

TEST_CASE("a layer unpacks the same whatever its compression and number of gzip members") {
  const auto tar = small_tree();
  struct Form {
    std::string blob, media_type;
  };
  const std::vector<Form> forms = {
      {tar, test::k_tar_type},
      {test::gzip(tar), test::k_gzip_type},
      {test::gzip(tar, 3000), test::k_gzip_type},
      {test::zstd(tar), test::k_zstd_type},
      {test::zstd(tar.substr(0, 999)) + test::zstd(tar.substr(999)), test::k_zstd_type},
      {test::gzip(tar), "application/vnd.docker.image.rootfs.diff.tar.gzip"}};
  for (const auto& form : forms) {
    Workshop here;
    const auto folder = here.unpack(here.layer(tar, form.blob, form.media_type));
    CHECK(content_of(folder / "usr/a") == "alpha");
    CHECK(content_of(folder / "usr/b") == noise(1 << 20));
    CHECK(here.leftovers().empty());
  }
}

TEST_CASE("a gzip member may end at any byte of the archive") {
  const auto tar = TarText().file("a", "alpha").text();
  std::string blob;
  for (const char& byte : tar) blob += test::gzip(std::string_view(&byte, 1));
  Workshop here;
  CHECK(content_of(here.unpack(here.layer(tar, blob, test::k_gzip_type)) / "a") == "alpha");
}

TEST_CASE("modes, owners and times are those of the tar") {
  Workshop here;
  const auto folder = here.unpack(here.layer(TarText()
                                                 .folder("sticky", 01777)
                                                 .folder("closed", 0500)
                                                 .file("closed/in", "x", {0400})
                                                 .file("setuid", "x", {04755})
                                                 .pax(TarText::pax_record("mtime", "1600000000.123456789"))
                                                 .file("timed", "x")
                                                 .pax(TarText::pax_record("mtime", "-1.5"))
                                                 .file("old", "x")
                                                 .special('2', "link", "../../anywhere/at/all")
                                                 .special('6', "fifo")
                                                 .text()));
  CHECK((status_of(folder / "sticky").st_mode & 07777) == 01777);
  CHECK((status_of(folder / "closed").st_mode & 07777) == 0500);
  CHECK((status_of(folder / "setuid").st_mode & 07777) == 04755);
  CHECK(status_of(folder / "setuid").st_uid == ::geteuid());
  CHECK(status_of(folder / "closed").st_mtim.tv_sec == 1'700'000'000);
  CHECK(status_of(folder / "timed").st_mtim.tv_sec == 1'600'000'000);
  CHECK(status_of(folder / "timed").st_mtim.tv_nsec == 123'456'789);
  CHECK(status_of(folder / "old").st_mtim.tv_sec == -2);
  CHECK(status_of(folder / "old").st_mtim.tv_nsec == 500'000'000);
  CHECK(fs::read_symlink(folder / "link") == "../../anywhere/at/all");
  CHECK(status_of(folder / "link").st_mtim.tv_sec == 1'700'000'000);
  CHECK(S_ISFIFO(status_of(folder / "fifo").st_mode));
}

TEST_CASE("owners other than root are theirs inside a container") {
  Workshop here;
  TarText::Attributes owned;
  owned.uid = 1000;
  owned.gid = 50;
  const auto folder = here.unpack(here.layer(TarText().file("owned", "x", owned).text()));
  auto request = test::shell("stat -c %u:%g /owned");
  const auto outcome = here.runner.run(here.runner.choose().value(), {folder}, request);
  REQUIRE(outcome);
  CHECK(outcome->output == "1000:50\n");
}

TEST_CASE("long names in pax and in GNU form") {
  const std::string part(200, 'n');
  const auto path = part + "/" + part + "/" + part;
  const std::string target(1000, 't');
  Workshop here;
  const auto pax = here.unpack(here.layer(TarText()
                                              .pax(TarText::pax_record("path", path))
                                              .file("short", "content")
                                              .pax(TarText::pax_record("linkpath", target))
                                              .special('2', "link", "short")
                                              .text()));
  CHECK(content_of(pax / path) == "content");
  CHECK(fs::read_symlink(pax / "link") == target);
  const auto gnu = here.unpack(here.layer(TarText()
                                              .pax(path + '\0', 'L')
                                              .file("short", "content")
                                              .pax(target + '\0', 'K')
                                              .special('2', "link", "short")
                                              .text()));
  CHECK(content_of(gnu / path) == "content");
  CHECK(fs::read_symlink(gnu / "link") == target);
}

TEST_CASE("hard links are one file, a link to a symbolic link included") {
  Workshop here;
  const auto folder = here.unpack(here.layer(TarText()
                                                 .file("d/a", "alpha")
                                                 .special('1', "b", "d/a")
                                                 .special('2', "s", "nowhere")
                                                 .special('1', "t", "./s")
                                                 .text()));
  CHECK(status_of(folder / "b").st_ino == status_of(folder / "d/a").st_ino);
  CHECK(status_of(folder / "t").st_ino == status_of(folder / "s").st_ino);
}

TEST_CASE("folders that the tar does not mention are the same every time") {
  Workshop here;
  const auto folder = here.unpack(here.layer(TarText().file("a/b/c", "x").text()));
  for (const auto& implicit : {folder, folder / "a", folder / "a/b"}) {
    CHECK((status_of(implicit).st_mode & 07777) == 0755);
    CHECK(status_of(implicit).st_mtim.tv_sec == 0);
  }
}

TEST_CASE("the last entry of a name wins, and links are replaced, not followed") {
  Workshop here;
  const auto folder = here.unpack(here.layer(TarText()
                                                 .file("a", "first")
                                                 .file("a", "second")
                                                 .file("kept", "kept")
                                                 .special('2', "link", "kept")
                                                 .file("link", "own")
                                                 .special('1', "hard", "kept")
                                                 .file("hard", "own")
                                                 .text()));
  CHECK(content_of(folder / "a") == "second");
  CHECK(content_of(folder / "kept") == "kept");
  CHECK(content_of(folder / "link") == "own");
  CHECK(content_of(folder / "hard") == "own");
}

TEST_CASE("device nodes are left out") {
  Workshop here;
  const auto folder = here.unpack(
      here.layer(TarText().folder("dev").special('3', "dev/null").special('4', "dev/sda").file("x", "x").text()));
  CHECK(fs::is_empty(folder / "dev"));
  CHECK(fs::exists(folder / "x"));
}

TEST_CASE("whiteouts hide what lower layers have, and only that") {
  Workshop here;
  const auto lower = here.unpack(here.layer(TarText()
                                                .file("gone", "x")
                                                .file("stays", "x")
                                                .file("opaque/old", "x")
                                                .file("deep/gone/old", "x")
                                                .file("replaced/old", "x")
                                                .file("again/old", "x")
                                                .file("both", "lower")
                                                .text()));
  const auto upper = here.unpack(here.layer(TarText()
                                                .file(".wh.gone", "")
                                                .file("opaque/.wh..wh..opq", "")
                                                .file("opaque/new", "x")
                                                .file("deep/.wh.gone", "")
                                                .file(".wh.replaced", "")
                                                .file("replaced/new", "x")
                                                .file("again/new", "x")
                                                .file(".wh.again", "")
                                                .file(".wh.both", "")
                                                .file("both", "upper")
                                                .file(".wh..wh.plnk", "")
                                                .text()));
  auto request =
      test::shell("find stays gone opaque deep replaced again both -type f 2>/dev/null | sort; cat both");
  const auto outcome = here.runner.run(here.runner.choose().value(), {lower, upper}, request);
  REQUIRE(outcome);
  CHECK(outcome->output == "again/new\nboth\nopaque/new\nreplaced/new\nstays\nupper");
}

TEST_CASE("a tar that reaches out of its folder is refused and nothing is left") {
  Workshop here;
  const auto outside = here.folder.path() / "outside";
  REQUIRE(sys::make_directories(outside));
  const auto victim = outside / "victim";
  REQUIRE(sys::write_file(victim, "safe"));
  struct Attack {
    const char* what;
    TarText tar;
  };
  const std::vector<Attack> attacks = {
      {"parent", TarText().file("../evil", "x")},
      {"parent inside", TarText().folder("a").file("a/../../evil", "x")},
      {"absolute", TarText().file("/evil", "x")},
      {"absolute in pax", TarText().pax(TarText::pax_record("path", victim.string())).file("a", "x")},
      {"through a link", TarText().special('2', "l", "/tmp").file("l/evil", "x")},
      {"through a link in a folder", TarText().folder("d").special('2', "d/l", "..").file("d/l/evil", "x")},
      {"a folder in a link", TarText().special('2', "l", outside.string()).folder("l/d")},
      {"through a dangling link", TarText().special('2', "l", "missing").file("l/evil", "x")},
      {"hard link to parent", TarText().special('1', "h", "../../outside/victim")},
      {"hard link to absolute", TarText().special('1', "h", "/etc/passwd")},
      {"hard link through a link", TarText().special('2', "l", "/etc").special('1', "h", "l/passwd")},
      {"hard link to nothing", TarText().special('1', "h", "missing")},
      {"hard link to a whiteout", TarText().file(".wh.w", "").special('1', "h", "w")},
      {"a file over a folder", TarText().folder("d").file("d", "x")},
      {"a folder over a link", TarText().special('2', "l", "/tmp").folder("l")},
      {"a file as a folder", TarText().file("f", "x").file("f/g", "x")},
      {"the root", TarText().special('2', "./", "/tmp")},
      {"whiteout of parent", TarText().file(".wh...", "")},
      {"whiteout of itself", TarText().file(".wh..", "")},
      {"whiteout of nothing", TarText().file(".wh.", "")},
      {"whiteout that is a folder", TarText().folder(".wh.x")},
      {"whiteout that is a link", TarText().special('2', ".wh.x", "y")},
  };
  for (const auto& attack : attacks) {
    INFO(attack.what);
    const auto error = refusal(here, here.layer(attack.tar.text()));
    CHECK(error.code == base::ErrorCode::input_invalid);
    INFO(error.message);
    CHECK(error.message.find("the layer has an entry '") == 0);
  }
  CHECK(content_of(victim) == "safe");
  CHECK(sys::list_directory(outside).value() == std::vector<std::string>{"victim"});
  CHECK_FALSE(fs::exists("/tmp/evil"));
}

TEST_CASE("a tar may end with its last file, without padding and end: umoci writes such") {
  const auto whole = TarText().file("a", "alpha").text();
  for (const std::size_t size : {517U, 700U, 1024U}) {
    Workshop here;
    CHECK(content_of(here.unpack(here.layer(whole.substr(0, size))) / "a") == "alpha");
  }
}

TEST_CASE("a tar that two programs could read differently is refused") {
  const auto whole = TarText().file("a", "alpha").text();
  const auto damaged = [&](std::size_t at) {
    auto tar = whole;
    tar[at] = static_cast<char>(tar[at] ^ 1);
    return tar;
  };
  auto lone_zeros = std::string(512, '\0') + whole;
  auto trailing = whole + TarText().file("b", "hidden").text();
  struct Case {
    std::string tar, message;
  };
  const std::vector<Case> cases = {
      {damaged(0), "a header's checksum is wrong"},
      {whole.substr(0, 515), "it ends inside a file"},
      {whole.substr(0, 300), "it ends inside a header"},
      {lone_zeros, "a lone block of zeros"},
      {trailing, "there is something after its end"},
      {TarText().special('S', "sparse").text(), "an entry of the unknown type 53"},
      {TarText().pax(TarText::pax_record("GNU.sparse.major", "1")).file("a", "").text(),
       "sparse files are not supported"},
      {TarText().pax("8 path=a\n").file("a", "").text(), "a pax record has a wrong length"},
      {TarText().pax("99 path=a\n").file("a", "").text(), "a pax record has a wrong length"},
      {TarText().pax("7 noval\n").file("a", "").text(), "a pax record has a wrong length"},
      {TarText().pax("9 noval\n ").file("a", "").text(), "a pax record has a wrong length"},
      {TarText().pax("8 noval\n").file("a", "").text(), "a pax record has no '='"},
      {TarText().pax(TarText::pax_record("path", std::string("a\0b", 3))).file("a", "").text(),
       "a name holds a NUL"},
      {TarText().pax(TarText::pax_record("size", "-1")).file("a", "").text(), "the pax record 'size' is no number"},
      {TarText().pax(TarText::pax_record("uid", "4294967295")).file("a", "").text(),
       "an owner is no user or group id"},
      {TarText().pax(TarText::pax_record("size", "9223372036854775807")).file("a", "").text(),
       "'a' has an impossible size"},
      {TarText().pax(TarText::pax_record("path", "a"), 'g').file("a", "").text(),
       "a global pax header sets 'path'"},
      {TarText().pax(TarText::pax_record("path", std::string(4096, 'a'))).file("a", "").text(),
       "a name is longer than 4095 bytes"},
      {TarText().pax(TarText::pax_record("size", "5")).special('2', "l", "t").text(),
       "'l' is no file but has a size"},
      {TarText().pax(TarText::pax_record("path", "a")).text(), "it ends after an extension header"},
      {TarText().pax(TarText::pax_record("path", "a")).without_end(), "it ends after an extension header"},
  };
  Workshop here;
  for (const auto& each : cases) {
    INFO(each.message);
    const auto error = refusal(here, here.layer(each.tar));
    CHECK(error.code == base::ErrorCode::input_invalid);
    CHECK(error.message.substr(error.message.find(": ") + 2) == each.message);
  }
}

TEST_CASE("an archive may end without its zero blocks") {
  Workshop here;
  CHECK(content_of(here.unpack(here.layer(TarText().file("a", "alpha").without_end())) / "a") == "alpha");
}

TEST_CASE("bytes that are not the diff_id's are refused and nothing is left") {
  Workshop here;
  auto layer = here.layer(small_tree());
  const auto actual = layer.diff_id;
  layer.diff_id = base::Digest::of("something else");
  const auto error = refusal(here, layer);
  CHECK(error.code == base::ErrorCode::integrity_failed);
  CHECK(error.message == "a layer's content is " + actual.to_string() + ", not " + layer.diff_id.to_string());
}

TEST_CASE("damaged and cut blobs are refused") {
  const auto tar = small_tree();
  auto blob = test::gzip(tar, 3);
  Workshop here;
  const auto refused = [&](const std::string& bytes, const char* type) {
    return refusal(here, here.layer(tar, bytes, type)).message;
  };
  auto flipped = blob;
  flipped[blob.size() / 2] = static_cast<char>(flipped[blob.size() / 2] ^ 0x10);
  CHECK_FALSE(refused(flipped, test::k_gzip_type).empty());
  CHECK(refused(blob.substr(0, blob.size() - 3), test::k_gzip_type).find("the gzip data ends early") !=
        std::string::npos);
  CHECK(refused(blob + "garbage garbage", test::k_gzip_type).find("where a gzip member should start") !=
        std::string::npos);
  CHECK(refused(tar, test::k_gzip_type).find("where a gzip member should start") != std::string::npos);
  const auto frame = test::zstd(tar);
  CHECK(refused(frame.substr(0, frame.size() - 3), test::k_zstd_type).find("the zstd data ends early") !=
        std::string::npos);
  CHECK(refused(tar, test::k_zstd_type).find("zstd: ") != std::string::npos);
  CHECK(refused(blob, "text/plain") == "'text/plain' is no media type of a layer that can be unpacked");
}

TEST_CASE("a layer is unpacked once") {
  Workshop here;
  const auto layer = here.layer(small_tree());
  const auto first = here.unpack(layer);
  const auto inode = status_of(first / "usr/a").st_ino;
  CHECK(here.unpack(layer) == first);
  CHECK(status_of(first / "usr/a").st_ino == inode);
  // Not even its blob is needed any more.
  fs::remove(layer.blob);
  CHECK(here.unpack(layer) == first);
}

TEST_CASE("several layers unpack at the same time, each once, in the order asked for") {
  class Recorder : public base::Progress {
   public:
    StepId begin(std::string_view verb, std::string_view subject) override {
      step = std::string(verb) + " " + std::string(subject);
      return 1;
    }
    void update(StepId, std::uint64_t done, std::uint64_t total) override {
      if (done == total) reached_total = true;
    }
    void output(StepId, std::string_view) override {}
    void end(StepId, std::string_view) override { ended = true; }
    void abandon(StepId) override {}
    void warn(std::string_view) override {}
    std::string step;
    std::atomic<bool> reached_total = false, ended = false;
  };
  Workshop here;
  std::vector<Layer> layers;
  for (int i = 0; i < 6; ++i) layers.push_back(here.layer(TarText().file("n", std::to_string(i % 5)).text()));
  Recorder progress;
  const auto folders = here.store.unpack_all(layers, 3, progress);
  REQUIRE(folders);
  REQUIRE(folders->size() == 6);
  for (std::size_t i = 0; i < 6; ++i) CHECK(content_of((*folders)[i] / "n") == std::to_string(i % 5));
  CHECK(progress.step == "Unpacking 5 layers");
  CHECK(progress.reached_total);
  CHECK(progress.ended);
}

TEST_CASE("two that want the same layer at the same time both get it") {
  Workshop here;
  const auto layer = here.layer(small_tree());
  std::vector<std::thread> threads;
  std::atomic<int> succeeded = 0;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      if (here.store.unpack(layer)) ++succeeded;
    });
  for (auto& thread : threads) thread.join();
  CHECK(succeeded == 4);
  CHECK(here.leftovers().empty());
}

TEST_CASE("a layer can be removed, whoever its files belong to") {
  Workshop here;
  TarText::Attributes owned;
  owned.uid = 1000;
  owned.mode = 0700;
  const auto layer = here.layer(TarText().folder("d", 0000).file("d/f", "x", owned).text());
  here.unpack(layer);
  REQUIRE(here.store.remove(layer.diff_id));
  CHECK_FALSE(here.store.contains(layer.diff_id));
  CHECK(here.leftovers().empty());
  CHECK(here.store.remove(layer.diff_id));
}

TEST_CASE("the store is closed to other users, because set-user-id programs lie in it") {
  Workshop here;
  here.unpack(here.layer(small_tree()));
  CHECK((status_of(here.folder.path() / "store").st_mode & 07777) == 0700);
}

TEST_CASE("a store of another user is refused, even for a layer that is there", "[as-root]") {
  if (::geteuid() != 0) return;
  Workshop here;
  const auto layer = here.layer(small_tree());
  here.unpack(layer);
  REQUIRE(::chown((here.folder.path() / "store").c_str(), 12345, 12345) == 0);
  const auto unpacked = here.store.unpack(layer);
  REQUIRE_FALSE(unpacked);
  CHECK(unpacked.error().message.find("belongs to user 12345, not to this one") != std::string::npos);
}

TEST_CASE("a tar with any damage is read or refused") {
  const auto whole = TarText()
                         .folder("d")
                         .pax(TarText::pax_record("path", "d/" + std::string(150, 'n')))
                         .file("a", noise(700))
                         .pax(std::string(150, 't') + '\0', 'K')
                         .special('2', "l", "t")
                         .special('1', "h", "d/a")
                         .text();
  std::mt19937 random(20261121);
  int refused = 0;
  for (int round = 0; round < 3000; ++round) {
    auto tar = whole;
    // Mostly in the headers of few bytes, where it matters; the checksums are mended, or nothing else would be
    // tested.
    for (int change = 0; change < 3; ++change) tar[random() % tar.size()] = static_cast<char>(random());
    if (random() % 4 == 0) tar.resize(random() % tar.size());
    for (std::size_t at = 0; at + 512 <= tar.size(); at += 512) TarText::mend_checksum(&tar[at]);
    std::size_t given = 0;
    runtime::TarReader reader([&]() -> base::Result<std::span<const std::byte>> {
      const auto size = std::min<std::size_t>(tar.size() - given, 1 + random() % 600);
      const auto piece = std::as_bytes(std::span(tar)).subspan(given, size);
      given += size;
      return piece;
    });
    std::size_t read_bytes = 0;
    for (;;) {
      const auto entry = reader.next();
      refused += entry ? 0 : 1;
      if (!entry || !*entry) break;
      REQUIRE_FALSE((*entry)->path.empty());
      for (auto piece = reader.data(); piece && !piece->empty(); piece = reader.data()) read_bytes += piece->size();
    }
    REQUIRE(read_bytes <= tar.size());
  }
  CHECK(refused > 500);
}
