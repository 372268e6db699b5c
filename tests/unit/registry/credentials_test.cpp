#include "assembly/registry/credentials.hpp"

#include "assembly/registry/authorization.hpp"
#include "foundation/sys/files.hpp"
#include "support/must.hpp"
#include "support/test_folder.hpp"

#include <catch2/catch.hpp>

using namespace torchkiln::registry;
using torchkiln::test::must;
using torchkiln::test::TestFolder;

namespace {

// "me:secret" and "you:other" in base64.
constexpr const char* k_me = "bWU6c2VjcmV0";
constexpr const char* k_you = "eW91Om90aGVy";

std::string auths(const std::string& entries) {
  return R"({"auths": {)" + entries + "}}";
}

std::string entry(const std::string& host, const std::string& auth) {
  return "\"" + host + R"(": {"auth": ")" + auth + "\"}";
}

}  // namespace

TEST_CASE("a host is found however it was written down") {
  for (const char* key : {"registry.example", "https://registry.example", "http://registry.example/",
                          "https://registry.example/v2/"}) {
    const auto file = must(parse_credential_file(auths(entry(key, k_me)), "config.json"));
    REQUIRE(file.entries.contains("registry.example"));
    CHECK(file.entries.at("registry.example") == Credential{"me", "secret", ""});
  }
  CHECK(must(parse_credential_file("{}", "config.json")).entries.empty());
}

TEST_CASE("user and password may stand apart, and an identity token for both") {
  const auto file = must(parse_credential_file(
      auths(
          R"("a.example": {"username": "u", "password": "p"}, "b.example": {"identitytoken": "t"}, "c.example": {})"),
      "config.json"));
  CHECK(file.entries.at("a.example") == Credential{"u", "p", ""});
  CHECK(file.entries.at("b.example") == Credential{"", "", "t"});
}

TEST_CASE("the longest path counts, then the host, then the next file") {
  TestFolder folder;
  must(torchkiln::sys::write_file(folder.path("one.json"),
                                  auths(entry("a.example/team", k_me) + "," + entry("a.example", k_you))));
  must(torchkiln::sys::write_file(folder.path("two.json"), auths(entry("b.example", k_me))));
  const Credentials credentials({folder.path("missing.json"), folder.path("one.json"), folder.path("two.json")});
  CHECK(must(credentials.find("a.example", "team/x"))->user == "me");
  CHECK(must(credentials.find("a.example", "teamster/x"))->user == "you");
  CHECK(must(credentials.find("b.example", "x"))->user == "me");
  CHECK(must(credentials.find("c.example", "x")) == std::nullopt);
}

TEST_CASE("what is wrong is said without what it says") {
  for (const std::string bad :
       {R"({"auths": {"h": {"auth": "secret!"}}})", R"({"auths": {"h": {"auth": "c2VjcmV0"}}})",
        R"({"auths": "secret)", R"({"auths": {"h": secret}})", R"("secret")", R"({"credsStore": {"secret": 1}})"}) {
    const auto read = parse_credential_file(bad, "config.json");
    REQUIRE_FALSE(read);
    CHECK(read.error().message.find("secret") == std::string::npos);
    CHECK(read.error().where);
  }
}

TEST_CASE("a token is what fits into a header") {
  CHECK(must(parse_token(R"({"token": "abc", "expires_in": 300})", "s")).expires_in_s == 300);
  CHECK(must(parse_token(R"({"access_token": "abc"})", "s")).expires_in_s == 60);
  for (const char* bad : {"{}", R"({"token": ""})", R"({"token": "a b"})", R"({"token": "a\r\nHost: x"})", "[]"})
    CHECK_FALSE(parse_token(bad, "s"));
}
