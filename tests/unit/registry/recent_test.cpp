#include "assembly/registry/recent.hpp"

#include "foundation/sys/files.hpp"
#include "support/must.hpp"
#include "support/test_folder.hpp"

#include <catch2/catch.hpp>

using namespace torchkiln::registry;
using torchkiln::test::must;
using torchkiln::test::TestFolder;
using Texts = std::vector<std::string>;

TEST_CASE("the repositories that were pushed to last are remembered for each registry, newest first") {
  const TestFolder folder;
  const auto path = folder.path("registries");
  CHECK(recent_repositories(path, "registry.example").empty());
  for (const char* one : {"a", "team/c", "d", "e"}) must(note_repository(path, "registry.example", one));
  must(note_repository(path, "127.0.0.1:5000", "other"));
  CHECK(recent_repositories(path, "registry.example") == Texts{"e", "d"});
  CHECK(recent_repositories(path, "127.0.0.1:5000") == Texts{"other"});
}

TEST_CASE("what is no name of a repository is not taken for one") {
  const TestFolder folder;
  must(torchkiln::sys::write_file(folder.path("registry.example"), "../x\n\nA\nteam/a:tag\ngood\n?&from=x\n"));
  CHECK(recent_repositories(folder.path(), "registry.example") == Texts{"good"});
}
