#include "foundation/sys/http_exchange.hpp"

#include "support/fault_server.hpp"
#include "support/test_folder.hpp"

#include <catch2/catch.hpp>

using namespace torchkiln::sys;
using torchkiln::base::ErrorCode;
using torchkiln::base::Result;
using torchkiln::test::FaultServer;
using torchkiln::test::must;
using torchkiln::test::TestFolder;
using Cause = BrokenExchange::Cause;

namespace {

HttpLimits short_times() {
  HttpLimits limits;
  limits.connect_timeout_s = 2;
  limits.stall_timeout_s = 1;
  return limits;
}

HttpAnswer answer_of(const HttpRequest& request, HttpLimits limits = short_times()) {
  auto done = HttpExchanger(limits).exchange(request);
  INFO((done ? "" : done.error().error.message));
  REQUIRE(done);
  return *done;
}

}  // namespace

TEST_CASE("any status is an answer, with its headers and body") {
  FaultServer server;
  server.serve("file", "bytes");
  const auto found = answer_of({.url = server.url("file")});
  CHECK(found.status == 200);
  CHECK(found.body == "bytes");
  CHECK(found.header("content-length") == "5");
  CHECK(found.header("no-such-header").empty());
  const auto refused =
      answer_of({.url = server.url("file", "busy", R"([{"status": 429, "headers": {"Retry-After": "7"}}])")});
  CHECK(refused.status == 429);
  CHECK(refused.retry_after_s() == 7);
  CHECK(answer_of({.method = "HEAD", .url = server.url("file")}).body.empty());
}

TEST_CASE("a body goes out of a file, from any place in it, with any method") {
  FaultServer server;
  TestFolder folder;
  must(write_file(folder.path("body"), std::string(1000, 'a') + std::string(3'000'000, 'b') + "c"));
  for (const char* method : {"PUT", "POST", "PATCH"}) {
    const auto answer = answer_of({.method = method,
                                   .url = server.url("sent"),
                                   .headers = {{"Content-Type", "application/octet-stream"}},
                                   .body = FileBody{folder.path("body"), 999, 3'000'001}});
    CHECK(answer.status == 201);
    CHECK(answer.header("x-method") == method);
    CHECK(answer.header("x-type") == "application/octet-stream");
    CHECK(answer_of({.url = server.url("sent")}).body == "a" + std::string(3'000'000, 'b'));
  }
  CHECK(answer_of({.method = "POST", .url = server.url("empty")}).status == 201);
  const auto cut =
      HttpExchanger(short_times())
          .exchange(
              {.method = "PUT", .url = server.url("sent"), .body = FileBody{folder.path("body"), 0, 4'000'000}});
  CHECK_FALSE(cut);  // the file is shorter than that
}

TEST_CASE("a redirect to another host takes the request along, and not its Authorization") {
  FaultServer server;
  server.serve("file", "bytes");
  const auto elsewhere = "http://localhost:" + std::to_string(server.port()) +
                         server.address().substr(server.address().find('/', 8)) + "/file";
  const HttpHeader secret{"Authorization", "Bearer secret"};
  const auto moved = answer_of(
      {.url = server.url("file", "away", R"([{"redirect": ")" + elsewhere + R"("}])"), .headers = {secret}});
  CHECK(moved.body == "bytes");
  CHECK(moved.url == elsewhere);
  const auto put = answer_of({.method = "PUT",
                              .url = server.url("sent", "away2", R"([{"redirect": ")" + elsewhere + R"("}])"),
                              .headers = {secret},
                              .body = "new"});
  CHECK(put.header("x-method") == "PUT");
  CHECK(answer_of({.url = server.url("file")}).body == "new");
  std::vector<std::string> seen;
  for (const auto& request : server.requests()) seen.push_back(request.authorization);
  CHECK(seen == std::vector<std::string>{"Bearer secret", "", "Bearer secret", "", ""});
}

TEST_CASE("a redirect within the host keeps Authorization") {
  FaultServer server;
  server.serve("file", "bytes");
  const auto here = server.url("file", "here", R"([{"redirect": "{here}/file"}])");
  CHECK(answer_of({.url = here, .headers = {{"Authorization", "Basic x"}}}).status == 200);
  REQUIRE(server.requests().size() == 2);
  CHECK(server.requests()[1].authorization == "Basic x");
}

TEST_CASE("a receiver gets a good body piece by piece and may refuse it, a bad one is kept as an answer") {
  FaultServer server;
  const std::string body(2'000'000, 'x');
  server.serve("file", body);
  HttpExchanger exchanger(short_times());
  std::uint64_t taken = 0;
  const auto count = [&](const HttpAnswer& answer, std::span<const std::byte> piece) -> Result<void> {
    CHECK(answer.status == 200);
    taken += piece.size();
    return {};
  };
  const auto done = exchanger.exchange({.url = server.url("file")}, count);
  REQUIRE(done);
  CHECK(done->body.empty());
  CHECK(taken == body.size());
  const auto missing = exchanger.exchange({.url = server.url("none")}, count);
  REQUIRE(missing);
  CHECK(missing->status == 404);
  CHECK_FALSE(missing->body.empty());
  const auto refused = exchanger.exchange({.url = server.url("file")},
                                          [](const HttpAnswer&, std::span<const std::byte>) -> Result<void> {
                                            return torchkiln::base::fail(ErrorCode::disk_full, "no room");
                                          });
  REQUIRE_FALSE(refused);
  CHECK(refused.error().cause == Cause::receiver_failed);
  CHECK(refused.error().error.code == ErrorCode::disk_full);
}

TEST_CASE("what broke the exchange says whether trying again may help") {
  FaultServer server;
  server.serve("file", std::string(300'000, 'x'));
  const HttpExchanger exchanger(short_times());
  const auto cause = [&](const std::string& url) { return exchanger.exchange({.url = url}).error().cause; };
  CHECK(cause(server.url("file", "cut", R"([{"cut": 1000}])")) == Cause::transient);
  CHECK(cause(server.url("file", "stall", R"([{"stall": 1000}])")) == Cause::transient);
  CHECK(cause("http://127.0.0.1:1/") == Cause::transient);
  CHECK(cause("https://127.0.0.1:" + std::to_string(server.port()) + "/") == Cause::transient);
  CHECK(cause("ftp://127.0.0.1/") == Cause::lasting);
}

TEST_CASE("an answer larger than the limit, and --offline, are errors") {
  FaultServer server;
  server.serve("file", std::string(2000, 'x'));
  auto limits = short_times();
  limits.body_limit_bytes = 1000;
  CHECK(HttpExchanger(limits).exchange({.url = server.url("file")}).error().error.message ==
        "the server answered with more than 1.0 kB");
  limits.access = NetworkAccess::forbidden;
  CHECK(HttpExchanger(limits).exchange({.url = server.url("file")}).error().error.code ==
        ErrorCode::network_failed);
  CHECK(server.requests().size() == 1);
}
