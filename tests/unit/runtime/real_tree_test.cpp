// A real tree, packed by the usual programs, is the same tree after unpacking.

#include "foundation/sys/process.hpp"
#include "layers.hpp"

#include <catch2/catch.hpp>

using namespace torchkiln;
using test::shell;
using test::Workshop;
namespace fs = std::filesystem;

namespace {

/// Folders that every Debian has and everybody may read: set-id programs, hard and symbolic links, long names.
constexpr const char* k_folders =
    "usr/sbin usr/share/zoneinfo usr/share/perl5 usr/bin/su usr/bin/passwd usr/bin/chage usr/bin/perl";

/// Everything about each file that a tar keeps, and one digest of all contents. Folders' sizes are not kept.
std::string survey(const std::string& folders) {
  return "find " + folders + " -type d -printf '%p d %m %U %G %Ts\\n' -o -printf '%p %y %m %U %G %s %Ts %l\\n' | " +
         "LC_ALL=C sort; find " + folders + " -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum";
}

std::string output_of(std::vector<std::string> arguments) {
  sys::Command command;
  command.arguments = std::move(arguments);
  auto outcome = sys::run_checked(command);
  if (!outcome) FAIL(outcome.error().message);
  return outcome->output;
}

}  // namespace

TEST_CASE("what GNU tar and Python pack is the same after unpacking") {
  const auto expected = output_of({"sh", "-c", "cd / && " + survey(k_folders)});
  CHECK(expected.size() > 100'000);
  Workshop here;
  const auto tar = (here.folder.path() / "tree.tar").string();
  const std::string names = k_folders;
  const std::vector<std::string> packers = {
      "tar --create --format=gnu --numeric-owner -C / --transform 's,^,data/,S' -f " + tar + " " + names,
      "tar --create --format=pax --xattrs -C / --transform 's,^,data/,S' -f " + tar + " " + names,
      "python3 -c 'import sys, tarfile\nwith tarfile.open(sys.argv[1], \"w\") as t:\n for n in sys.argv[2:]: "
      "t.add(\"/\" + n, \"data/\" + n)' " +
          tar + " " + names,
  };
  for (const auto& packer : packers) {
    INFO(packer);
    output_of({"sh", "-c", packer});
    const auto text = sys::read_file(tar, 4ULL << 30);
    REQUIRE(text);
    const auto folder = here.unpack({tar, test::k_tar_type, base::Digest::of(*text)});
    auto request = shell(survey(k_folders));
    request.directory = "/data";
    const auto found = here.runner.run(here.runner.choose().value(), {folder}, request);
    REQUIRE(found);
    CHECK(found->errors.empty());
    CHECK(found->output == expected);
  }
}

TEST_CASE("an interactive command has our terminal", "[.interactive]") {
  Workshop here;
  auto request = shell("test -t 0 && test -t 1 && echo terminal; exit 7");
  request.streams = runtime::Streams::inherited;
  const auto outcome = here.runner.run(here.runner.choose().value(), {}, request);
  REQUIRE(outcome);
  CHECK(outcome->exit_status == 7);
}
