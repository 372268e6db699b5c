#include "assembly/layer/catalog.hpp"

#include "support/test_folder.hpp"

#include <catch2/catch.hpp>

using torchkiln::base::Digest;
using torchkiln::base::ErrorCode;
using namespace torchkiln::layer;
using torchkiln::test::error_of;
using torchkiln::test::must;
using torchkiln::test::TestFolder;

namespace {
const LayerFacts k_facts = {Digest::of("blob"), 1234, Digest::of("tar"), 9'876'543'210};
const std::string k_key = Digest::of("key").hex(), k_other = Digest::of("other").hex();
const CatalogEntry k_entry = {
    k_facts,
    "a\nnote",
    {"3.11", {{"a-1-py3-none-any.whl", Digest::of("a")}, {"b-1-py3-none-any.whl", Digest::of("b")}}}};
}  // namespace

TEST_CASE("what is added to the catalog is found again") {
  const TestFolder folder;
  const LayerCatalog catalog(folder.path("layers"));
  CHECK_FALSE(catalog.find(k_key).has_value());
  must(catalog.add(k_key, k_entry));
  must(catalog.add(k_other, {k_facts}));
  CHECK((catalog.find(k_key) == k_facts));
  CHECK(catalog.find_note(k_key) == "a\nnote");
  CHECK_FALSE(catalog.find_note(k_other).has_value());
  CHECK_FALSE(catalog.find(Digest::of("unknown").hex()).has_value());
  CHECK((must(catalog.own_entries()) == CatalogEntries{{k_key, k_entry}, {k_other, {k_facts}}}));
  CHECK(folder.text("layers/" + k_other + ".json") ==
        "{\n  \"schema\": \"torchkiln.layer/1\",\n  \"digest\": \"" + k_facts.digest.to_string() +
            "\",\n  \"size\": 1234,\n  \"diff_id\": \"" + k_facts.diff_id.to_string() +
            "\",\n  \"unpacked_size\": 9876543210\n}\n");
}

TEST_CASE("an entry that cannot be read as one is a miss, never an error") {
  const TestFolder folder;
  const LayerCatalog catalog(folder.path("layers"));
  const std::string file = "layers/" + k_key + ".json";
  must(catalog.add(k_key, k_entry));
  const auto good = folder.text(file);
  const auto with = [&](const std::string& text) {
    folder.write(file, text);
    return catalog.find(k_key);
  };
  const auto replaced = [&](const std::string& from, const std::string& to) {
    auto text = good;
    REQUIRE(text.find(from) != std::string::npos);
    return text.replace(text.find(from), from.size(), to);
  };
  CHECK(with(good).has_value());
  for (std::size_t length = 0; length + 2 < good.size(); ++length) CHECK_FALSE(with(good.substr(0, length)));
  for (const char* text : {"", "null", "[]", "{}", "\"x\"", "{\"schema\": 1}", "\xff\xfe"}) CHECK_FALSE(with(text));
  CHECK_FALSE(with(replaced("layer/1", "layer/2")));
  CHECK_FALSE(with(replaced("1234", "-1234")));
  CHECK_FALSE(with(replaced("1234", "12.5")));
  CHECK_FALSE(with(replaced("1234", "\"1234\"")));
  CHECK_FALSE(with(replaced("9876543210", "99999999999999999999999")));
  CHECK_FALSE(with(replaced(k_facts.digest.hex(), k_facts.digest.hex().substr(1))));
  CHECK_FALSE(with(replaced("\"" + k_facts.diff_id.to_string() + "\"", "null")));
  CHECK_FALSE(with(replaced("\"3.11\"", "3.11")));
  CHECK_FALSE(with(replaced(Digest::of("a").hex(), "a")));
  CHECK(must(catalog.own_entries()).empty());
}

TEST_CASE("a catalog travels as one file and comes back the same") {
  const CatalogEntries entries = {{k_key, k_entry}, {k_other, {k_facts}}};
  const auto text = format_catalog(entries);
  CHECK((must(parse_catalog(text, "c.json")) == entries));
  CHECK((must(parse_catalog(format_catalog({}), "c.json")).empty()));
}

TEST_CASE("a catalog with one entry that cannot be understood is refused whole, with the entry named") {
  auto text = format_catalog({{k_key, k_entry}});
  text.replace(text.find("1234"), 4, "-123");
  const auto error = error_of(parse_catalog(text, "c.json"));
  CHECK(error.code == ErrorCode::input_invalid);
  CHECK(error.where->file == "c.json");
  CHECK(error.message == "has an entry that cannot be understood: '" + k_key + "'");
  auto traversal = format_catalog({{k_key, k_entry}});
  traversal.replace(traversal.find(k_key), k_key.size(), "../../etc/x");
  CHECK(error_of(parse_catalog(traversal, "c.json")).message ==
        "has an entry that cannot be understood: '../../etc/x'");
  for (const char* other : {"", "[]", "{\"schema\": \"torchkiln.layers/2\", \"layers\": {}}"})
    CHECK(error_of(parse_catalog(other, "c.json")).message == "is no layer catalog (schema torchkiln.layers/1)");
}

TEST_CASE("what came with torchkiln is found too, after what this machine made, and is not its own") {
  const TestFolder folder;
  const LayerFacts made_here = {Digest::of("here"), 1, Digest::of("tar"), 2};
  folder.write("shipped/a.json", format_catalog({{k_key, k_entry}}));
  folder.write("shipped/b.json", format_catalog({{k_other, {k_facts}}}));
  folder.write("shipped/damaged.json", "{");
  folder.write("shipped/README", "no catalog");
  const LayerCatalog catalog(folder.path("layers"), folder.path("shipped"));
  CHECK((catalog.find(k_key) == k_facts));
  CHECK((catalog.find(k_other) == k_facts));
  must(catalog.add(k_key, {made_here}));
  CHECK((catalog.find(k_key) == made_here));
  CHECK((must(catalog.own_entries()) == CatalogEntries{{k_key, {made_here}}}));
  CHECK_FALSE(LayerCatalog(folder.path("layers"), folder.path("nowhere")).find(k_other).has_value());
}
