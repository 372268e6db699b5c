#pragma once
// A Debian base without Debian: packages made by dpkg-deb, a tar of a few files, and a fake mmdebstrap that gives
// it.

#include "foundation/sys/process.hpp"
#include "support/fake_tool.hpp"
#include "support/test_folder.hpp"

#include <cstdint>
#include <map>
#include <string>

namespace torchkiln::test {

/// When the packages say that they were built.
inline constexpr std::int64_t k_built_s = 1'700'000'000;

/// A Debian package as dpkg-deb makes it.
inline std::string make_deb(const TestFolder& folder, const std::string& name, const std::string& version,
                            const std::string& compression = "xz", std::int64_t time_s = k_built_s) {
  const auto tree = folder.path("tree-" + name);
  must(sys::write_file(tree / "DEBIAN/control",
                       "Package: " + name + "\nVersion: " + version +
                           "\nArchitecture: amd64\nMaintainer: nobody <n@x.example>\nDescription: a "
                           "test\n with two lines\n"));
  must(sys::write_file(tree / "usr/share/x", "x"));
  sys::Command command;
  command.arguments = {"dpkg-deb", "--root-owner-group", "-Z" + compression,
                       "--build",  tree.string(),        folder.path(name + ".deb").string()};
  auto environment = sys::current_environment();
  environment["SOURCE_DATE_EPOCH"] = std::to_string(time_s);
  command.environment = environment;
  must(sys::run_checked(command));
  return folder.text(name + ".deb");
}

/// A tar of these files.
inline std::string make_tar(const TestFolder& folder, const std::map<std::string, std::string>& files) {
  for (const auto& [path, content] : files) folder.write("root/" + path, content);
  sys::Command command;
  command.arguments = {
      "tar", "--format=pax", "-cf", folder.path("base.tar").string(), "-C", folder.path("root").string(), "."};
  must(sys::run_checked(command));
  return folder.text("base.tar");
}

/// What the fake base holds.
inline const std::map<std::string, std::string> k_accounts = {
    {"etc/passwd", "root:x:0:0::/root:/bin/sh\n"},
    {"etc/group", "root:x:0:\n"},
    {"etc/shadow", "root:*:1::::::\n"},
    {"etc/skel/.profile", "# profile\n"},
    // A name that libarchive cannot write in the C locale, as ca-certificates has one.
    {"etc/a-F\xC5\x91.crt", "x"},
    {"usr/bin/x", std::string(10'000, 'x')}};

/// A fake mmdebstrap: keeps the repository it was given and writes base.tar where it should.
inline const std::string k_bootstrap = R"(
for a in "$@"; do case "$a" in
  "deb "*) repository=${a#*copy://}; cp -r "${repository%% *}" "$FAKE/repository" ;;
  *.tar) cp "$FAKE/base.tar" "$a" ;;
esac; done
echo "$SOURCE_DATE_EPOCH $TZ $LC_ALL $TMPDIR" > "$FAKE/environment"
echo "I: a line" >&2
)";

/// The fake mmdebstrap with a base of these files.
struct FakeBootstrap : FakeTool {
  explicit FakeBootstrap(const std::map<std::string, std::string>& files = k_accounts)
      : FakeTool("mmdebstrap", k_bootstrap) {
    const TestFolder folder;
    give(make_tar(folder, files));
  }
  void give(std::string_view archive) const { must(sys::write_file(path() / "base.tar", archive)); }
};

}  // namespace torchkiln::test
