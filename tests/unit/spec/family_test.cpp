#include "knowledge/spec/family.hpp"

#include "foundation/sys/files.hpp"
#include "support/must.hpp"
#include "support/test_folder.hpp"

#include <catch2/catch.hpp>

using namespace torchkiln::spec;
using torchkiln::test::error_of;
using torchkiln::test::must;
using torchkiln::test::TestFolder;

namespace {

/// A folder of specs.
struct Specs {
  TestFolder folder;

  std::string write(const std::string& name, const std::string& lines) {
    const auto path = folder.path(name);
    must(torchkiln::sys::make_directories(path.parent_path()));
    must(torchkiln::sys::write_file(path, "schema = \"torchkiln.spec/1\"\n" + lines));
    return path.string();
  }
  /// "PLACE: message (hint)" with places below the folder.
  std::string complaint(const std::string& name) {
    const auto error = error_of(read_family(folder.path(name)));
    CHECK(error.code == torchkiln::base::ErrorCode::spec_invalid);
    std::string text = (error.where ? error.where->to_string() + ": " : "") + error.message;
    for (const auto& hint : error.hints) text += " (" + hint + ")";
    const auto root = folder.path().string() + "/";
    for (auto at = text.find(root); at != std::string::npos; at = text.find(root)) text.erase(at, root.size());
    return text;
  }
};

}  // namespace

TEST_CASE("a family is read from the spec that extends nothing to the one that was named") {
  Specs t;
  t.write("base/kiln.toml", "[packages]\npython = [\"numpy\"]\n");
  t.write("team/kiln.toml", "extends = \"../base\"\n[packages]\npython = [\"pandas\"]\n");
  t.write("mine.toml", "extends = \"team/kiln.toml\"\n[packages]\npython = [\"timm\"]\n");
  const auto family = must(read_family(t.folder.path("mine.toml")));
  REQUIRE(family.size() == 3);
  CHECK(family[0].file == t.folder.path("base/kiln.toml").string());
  CHECK_FALSE(family[0].below);
  CHECK(family[1].python_packages.size() == 2);
  REQUIRE(family[2].python_packages.size() == 3);
  CHECK(family[2].python_packages[0].name == "numpy");
  CHECK(family[2].python_packages[2].name == "timm");
  CHECK(family[2].below == torchkiln::base::Digest::of(canonical_json(family[1])));
}

TEST_CASE("a spec that extends a file that is not there is told where and which") {
  Specs t;
  t.write("kiln.toml", "extends = \"../nobody.toml\"\n");
  const auto error = error_of(read_family(t.folder.path("kiln.toml")));
  REQUIRE(error.where);
  CHECK(error.where->line == 2);
  CHECK(error.message == "there is no " + (t.folder.path().parent_path() / "nobody.toml").string());
}

TEST_CASE("specs that extend each other are told so") {
  Specs t;
  t.write("a.toml", "extends = \"b.toml\"\n");
  t.write("b.toml", "extends = \"a.toml\"\n");
  t.write("self.toml", "extends = \"self.toml\"\n");
  CHECK(t.complaint("a.toml") ==
        "b.toml:2:11: a.toml extends this spec, and this one extends it (leave one of the two out)");
  CHECK(t.complaint("self.toml") ==
        "self.toml:2:11: self.toml extends this spec, and this one extends it (leave one of the two out)");
}

TEST_CASE("a mistake in the spec below has its own place") {
  Specs t;
  t.write("base.toml", "[require]\npytorhc = \"2.8\"\n");
  t.write("kiln.toml", "extends = \"base.toml\"\n");
  CHECK(t.complaint("kiln.toml").starts_with("base.toml:3:1: "));
}

TEST_CASE("more specs than an image has room for are refused") {
  Specs t;
  t.write("0.toml", "");
  for (std::size_t i = 1; i <= k_family_limit; ++i)
    t.write(std::to_string(i) + ".toml", "extends = \"" + std::to_string(i - 1) + ".toml\"\n");
  CHECK(must(read_family(t.folder.path(std::to_string(k_family_limit - 1) + ".toml"))).size() == k_family_limit);
  CHECK(t.complaint(std::to_string(k_family_limit) + ".toml") ==
        "1.toml:2:11: more than 5 specs extend each other (put some of them together)");
}
