#include "assembly/registry/header_fields.hpp"

#include "assembly/registry/address.hpp"

#include <catch2/catch.hpp>

using namespace torchkiln::registry;

TEST_CASE("challenges are read as RFC 9110 writes them") {
  const auto one = parse_challenges(
      R"(Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a/b:pull,push")");
  REQUIRE(one.size() == 1);
  CHECK(one[0].scheme == "bearer");
  CHECK(one[0].parameter("realm") == "https://auth.example/token");
  CHECK(one[0].parameter("scope") == "repository:a/b:pull,push");
  CHECK(one[0].parameter("none").empty());

  const auto two = parse_challenges(R"(BASIC Realm = "a \"quoted\" name" , , Bearer realm=plain, service="x")");
  REQUIRE(two.size() == 2);
  CHECK(two[0].scheme == "basic");
  CHECK(two[0].parameter("realm") == "a \"quoted\" name");
  CHECK(two[1].parameter("realm") == "plain");
  CHECK(two[1].parameter("service") == "x");
  CHECK(parse_challenges("Negotiate, Basic").size() == 2);
}

TEST_CASE("what is no challenge ends the list") {
  CHECK(parse_challenges("").empty());
  CHECK(parse_challenges("=").empty());
  CHECK(parse_challenges(R"(Bearer realm="never closed)").empty());
  CHECK(parse_challenges(R"(Bearer realm="ends in \)").empty());
  CHECK(parse_challenges(R"(Basic realm="x", "y")").empty());
}

TEST_CASE("the next page is the link that says so") {
  CHECK(next_page(R"(</v2/a/referrers/x?last=1>; rel="next")") == "/v2/a/referrers/x?last=1");
  CHECK(next_page(R"(<a>; rel="prev", <b>; title="x"; rel=next)") == "b");
  CHECK(next_page("<a>") == std::nullopt);
  CHECK(next_page("rel=next") == std::nullopt);
  CHECK(next_page("<a; rel=next") == std::nullopt);
}

TEST_CASE("an upload's range says how much is there") {
  CHECK(received_bytes("0-1023") == 1024U);
  CHECK(received_bytes("bytes=0-9") == 10U);
  CHECK(received_bytes("0-0") == 0U);
  for (const char* bad : {"", "5-9", "0-", "-9", "0--9", "0-9x", "0-99999999999999999999"})
    CHECK(received_bytes(bad) == std::nullopt);
  CHECK(first_byte("bytes 100-199/200") == 100U);
  CHECK(first_byte("bytes */200") == std::nullopt);
  CHECK(first_byte("100-199") == std::nullopt);
}

TEST_CASE("a reason is one short printable line") {
  CHECK(told_reason(R"({"errors":[{"code":"DENIED","message":"not yours"},{"code":"X"}]})") == "denied: not yours");
  CHECK(told_reason("{\"errors\":[{\"code\":\"A\",\"message\":\"\\u001b[31mred\\nline\"}]}") == "a:  [31mred line");
  CHECK(told_reason(R"({"errors":[{"message":")" + std::string(5000, 'x') + "\"}]}").size() == 300);
  for (const char* none : {"", "<html>", "[]", R"({"errors":[]})", R"({"errors":5})", R"({"errors":[5]})"})
    CHECK(told_reason(none).empty());
}

TEST_CASE("an origin is scheme, host and port") {
  CHECK(origin_of("https://Host.example:443/v2/?x") == "https://host.example");
  CHECK(origin_of("http://host:80") == "http://host");
  CHECK(origin_of("https://host:80/") == "https://host:80");
  CHECK(origin_of("http://host:8080?x") == "http://host:8080");
  CHECK(origin_of("http://user@host/") != origin_of("http://host/"));
  CHECK(shown_address("https://u:p@host/a?token=x") == "https://host/a");
}

TEST_CASE("loopback is this machine only") {
  for (const char* here : {"localhost", "localhost:5000", "127.0.0.1:5000", "127.1.2.3", "[::1]:5000"})
    CHECK(is_loopback(here));
  for (const char* elsewhere : {"localhost.example", "127.0.0.1.example", "127.example.org:5", "10.0.0.1", "[::2]"})
    CHECK_FALSE(is_loopback(elsewhere));
}
