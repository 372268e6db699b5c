#include "knowledge/version/pep440.hpp"

#include "foundation/base/text.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

using torchkiln::version::SpecifierSet;
using torchkiln::version::Version;

namespace {

Version version(std::string_view text) {
  auto result = Version::parse(text);
  INFO(text);
  REQUIRE(result);
  return *result;
}

SpecifierSet specifier(std::string_view text) {
  auto result = SpecifierSet::parse(text);
  INFO(text);
  REQUIRE(result);
  return *result;
}

std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> result;
  for (const auto word : torchkiln::base::split(text, ' ')) result.emplace_back(word);
  return result;
}

// Order and matches below were written by Python's packaging 21.3 (pip's own copy).
constexpr std::string_view k_in_order =
    "0.15.2 1.0.dev1 1.0a1.dev2 1.0a1 1.0a2 1.0b1 1.0rc1 1.0 1.0+cu118 1.0+cu118.2 1.0+5 "
    "1.0.post1.dev1 1.0.post1 1.0.1 1.1 2.8.dev3 2.8rc1 2.8 2.8.0+cu126 2.8.0+cu128 2.8.0.post2 2.8.1 "
    "2.10 12.8.90 1!0.5";

struct Match {
  std::string_view clause;
  std::string_view versions;
};
const Match k_matches[] = {
    {"==1.0", "1.0 1.0+cu118 1.0+cu118.2 1.0+5"},
    {"==1.0.*", "1.0 1.0+cu118 1.0+cu118.2 1.0+5 1.0.post1 1.0.1"},
    {"!=1.0", "1.0.post1 1.0.1 1.1 1!0.5 2.8 2.8.0+cu128 2.8.0+cu126 2.8.1 2.10 2.8.0.post2 0.15.2 12.8.90"},
    {"!=1.0.*", "1.1 1!0.5 2.8 2.8.0+cu128 2.8.0+cu126 2.8.1 2.10 2.8.0.post2 0.15.2 12.8.90"},
    {"~=1.0", "1.0 1.0+cu118 1.0+cu118.2 1.0+5 1.0.post1 1.0.1 1.1"},
    {"~=2.8.0", "2.8 2.8.0+cu128 2.8.0+cu126 2.8.1 2.8.0.post2"},
    {"~=2.8", "2.8 2.8.0+cu128 2.8.0+cu126 2.8.1 2.10 2.8.0.post2"},
    {"<1.0", "0.15.2"},
    {">1.0", "1.0.1 1.1 1!0.5 2.8 2.8.0+cu128 2.8.0+cu126 2.8.1 2.10 2.8.0.post2 12.8.90"},
    {"<=1.0", "1.0 1.0+cu118 1.0+cu118.2 1.0+5 0.15.2"},
    {">=1.0",
     "1.0 1.0+cu118 1.0+cu118.2 1.0+5 1.0.post1 1.0.1 1.1 1!0.5 2.8 2.8.0+cu128 2.8.0+cu126 2.8.1 2.10 "
     "2.8.0.post2 12.8.90"},
    {">=1.0a1",
     "1.0a1 1.0a2 1.0b1 1.0rc1 1.0 1.0+cu118 1.0+cu118.2 1.0+5 1.0.post1.dev1 1.0.post1 1.0.1 1.1 "
     "1!0.5 2.8 2.8.0+cu128 2.8.0+cu126 2.8.1 2.10 2.8rc1 2.8.dev3 2.8.0.post2 12.8.90"},
    {"<2.8", "1.0 1.0+cu118 1.0+cu118.2 1.0+5 1.0.post1 1.0.1 1.1 0.15.2"},
    {">2.8", "1!0.5 2.8.1 2.10 12.8.90"},
    {"==2.8.0+cu128", "2.8.0+cu128"},
    {"!=2.8.0+cu128",
     "1.0 1.0+cu118 1.0+cu118.2 1.0+5 1.0.post1 1.0.1 1.1 1!0.5 2.8 2.8.0+cu126 2.8.1 2.10 2.8.0.post2 "
     "0.15.2 12.8.90"},
    {">=2.7,<2.9", "2.8 2.8.0+cu128 2.8.0+cu126 2.8.1 2.8.0.post2"},
    {"==2.8.*,!=2.8.1", "2.8 2.8.0+cu128 2.8.0+cu126 2.8.0.post2"},
    {"<1.0a2", "0.15.2"},
    {">1.0.post1", "1.0.1 1.1 1!0.5 2.8 2.8.0+cu128 2.8.0+cu126 2.8.1 2.10 2.8.0.post2 12.8.90"},
    {"<1.0.post1", "1.0 1.0+cu118 1.0+cu118.2 1.0+5 0.15.2"},
    {">=2.8rc1", "1!0.5 2.8 2.8.0+cu128 2.8.0+cu126 2.8.1 2.10 2.8rc1 2.8.0.post2 12.8.90"},
    {"==1!0.*", "1!0.5"},
    {"<2.8rc1", "1.0 1.0+cu118 1.0+cu118.2 1.0+5 1.0.post1 1.0.1 1.1 0.15.2"},
    {">1.0a1", "1.0 1.0.1 1.1 1!0.5 2.8 2.8.0+cu128 2.8.0+cu126 2.8.1 2.10 2.8.0.post2 12.8.90"},
};

}  // namespace

TEST_CASE("versions sort as Python's packaging library sorts them") {
  const auto sorted = words(k_in_order);
  for (std::size_t i = 0; i < sorted.size(); ++i)
    for (std::size_t k = 0; k < sorted.size(); ++k) {
      INFO(sorted[i] << " and " << sorted[k]);
      CHECK((version(sorted[i]) <=> version(sorted[k])) == (i <=> k));
    }
}

TEST_CASE("specifiers match what Python's packaging library matches") {
  for (const auto& match : k_matches) {
    std::vector<std::string> found;
    std::vector<std::string> expected = words(match.versions);
    for (const auto& text : words(k_in_order))
      if (specifier(match.clause).contains(version(text))) found.push_back(text);
    std::sort(found.begin(), found.end());
    std::sort(expected.begin(), expected.end());
    INFO(match.clause);
    CHECK(found == expected);
  }
}

TEST_CASE("a version is written in its normal form") {
  CHECK(version(" V2.8.0-RC.1 ").to_string() == "2.8.0rc1");
  CHECK(version("1.0-1").to_string() == "1.0.post1");
  CHECK(version("1.0alpha").to_string() == "1.0a0");
  CHECK(version("1.0.rev3_dev").to_string() == "1.0.post3.dev0");
  CHECK(version("2.8.0+CU128-Rel_007").to_string() == "2.8.0+cu128.rel.7");
  CHECK(version("3!1.0").to_string() == "3!1.0");
}

TEST_CASE("what is no version is refused with an example") {
  for (const char* text : {"", "abc", "2.8.", "2..8", ".8", "2.8.0+", "2.8.0+cu!", "2.8 0", "1.0x", "-1",
                           "99999999999999999999", "2.8.0+a..b"}) {
    const auto result = Version::parse(text);
    INFO(text);
    REQUIRE_FALSE(result);
    CHECK(result.error().message == "\"" + std::string(text) + "\" is not a version");
    CHECK(result.error().hints ==
          std::vector<std::string>{"versions are written as PEP 440 says, for example 2.8.0"});
  }
}

TEST_CASE("a bare version is a prefix") {
  CHECK(specifier("2.8").to_string() == "==2.8.*");
  CHECK(specifier("2.8").contains(version("2.8.1+cu128")));
  CHECK_FALSE(specifier("2.8").contains(version("2.80")));
  CHECK_FALSE(specifier("2.1").contains(version("2.10.0")));
  CHECK(specifier("2.8.0").contains(version("2.8")));
  CHECK(specifier("2.8.0+cu128").contains(version("2.8.0+cu128")));
  CHECK_FALSE(specifier("2.8.0+cu128").contains(version("2.8.0+cu126")));
  CHECK(specifier("2.8.0+cu128").names_local());
}

TEST_CASE("clauses are joined by and, in any spacing") {
  const auto set = specifier(" >=12.6 , <13 ");
  CHECK(set.contains(version("12.8")));
  CHECK_FALSE(set.contains(version("13.0")));
  CHECK(set.text() == ">=12.6 , <13");
  CHECK(set.to_string() == "<13,>=12.6");
}

TEST_CASE("clauses that PEP 440 does not allow are refused and say why") {
  const auto message = [](std::string_view text) {
    const auto result = SpecifierSet::parse(text);
    INFO(text);
    REQUIRE_FALSE(result);
    return result.error().message;
  };
  CHECK(message("") == "\"\" is not a version requirement: it is empty");
  CHECK(message("~=2") == "\"~=2\" is not a version requirement: ~= needs at least two numbers");
  CHECK(message(">=2.8.*") == "\"2.8.*\" is not a version");
  CHECK(message(">=2.8+cu128") ==
        "\">=2.8+cu128\" is not a version requirement: a local version goes with == and != only");
  CHECK(message("==2.8rc1.*") ==
        "\"==2.8rc1.*\" is not a version requirement: \".*\" goes after release numbers only");
  CHECK(message("===2.8") == "\"===2.8\" is not a version requirement: arbitrary equality (===) is not supported");
  CHECK(message(">=2.7,") == "\"\" is not a version");
  CHECK(message("=2.7") == "\"=2.7\" is not a version");
}
