#include "proof/verify/installed.hpp"

#include <catch2/catch.hpp>

using namespace torchkiln::verify;

TEST_CASE("METADATA's description and odd lines say nothing") {
  const auto metadata =
      read_wheel_metadata("Name: A_b.C\r\nVersion: 1\r\nno colon\r\n continued\r\n\r\nName: x\r\n");
  CHECK(metadata.name == "a-b-c");
  CHECK(metadata.version == "1");
  CHECK(read_wheel_metadata("").name.empty());
}

TEST_CASE("only what dpkg has installed is listed") {
  const auto packages = read_dpkg_status(
      "\nPackage: a\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n\n\n"
      "Package: b\nStatus: install ok half-configured\nVersion: 1\nArchitecture: all\n\n"
      "Package: c\nStatus: deinstall ok config-files\nVersion: 1\n\nPackage: d\n\n"
      "Package: e\nVersion: 2\nArchitecture: amd64");
  CHECK(packages == std::vector<DebStatus>{{"a", "1", "all"}, {"e", "2", "amd64"}});
}

TEST_CASE("os-release says which distribution, quoted or not") {
  CHECK(read_os_release("ID=\"ubuntu\"\nVERSION_ID='22.04'\n").version_id == "22.04");
  CHECK(read_os_release("ID=debian\nVERSION_ID=\"12\"\n").id == "debian");
  CHECK(read_os_release("").id == "linux");  // os-release(5): the default
}
