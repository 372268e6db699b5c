#include "assembly/layer/catalog.hpp"

#include "support/test_folder.hpp"

#include <catch2/catch.hpp>

using torchkiln::base::Digest;
using torchkiln::layer::LayerCatalog;
using torchkiln::layer::LayerFacts;
using torchkiln::test::must;
using torchkiln::test::TestFolder;

namespace {
const LayerFacts k_facts = {Digest::of("blob"), 1234, Digest::of("tar"), 9'876'543'210};
}

TEST_CASE("what is added to the catalog is found again") {
  const TestFolder folder;
  const LayerCatalog catalog(folder.path("layers"));
  CHECK_FALSE(catalog.find("key").has_value());
  must(catalog.add("key", k_facts));
  must(catalog.add_note("key", "a\nnote"));
  CHECK((catalog.find("key") == k_facts));
  CHECK(catalog.find_note("key") == "a\nnote");
  CHECK_FALSE(catalog.find("other").has_value());
  CHECK_FALSE(catalog.find_note("other").has_value());
  CHECK(folder.text("layers/key.json") ==
        "{\n  \"schema\": \"torchkiln.layer/1\",\n  \"digest\": \"" + k_facts.digest.to_string() +
            "\",\n  \"size\": 1234,\n  \"diff_id\": \"" + k_facts.diff_id.to_string() +
            "\",\n  \"unpacked_size\": 9876543210\n}\n");
}

TEST_CASE("an entry that cannot be read as one is a miss, never an error") {
  const TestFolder folder;
  const LayerCatalog catalog(folder.path("layers"));
  must(catalog.add("key", k_facts));
  const auto good = folder.text("layers/key.json");
  const auto with = [&](const std::string& text) {
    folder.write("layers/key.json", text);
    return catalog.find("key");
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
}
