#include "foundation/sys/http.hpp"

#include "foundation/sys/environment.hpp"
#include "foundation/sys/files.hpp"
#include "foundation/sys/interrupt.hpp"
#include "foundation/sys/partial_file.hpp"
#include "support/child.hpp"
#include "support/fault_server.hpp"
#include "support/test_folder.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <ctime>
#include <sys/resource.h>
#include <sys/stat.h>
#include <thread>

using namespace torchkiln::sys;
using torchkiln::base::Digest;
using torchkiln::base::Error;
using torchkiln::base::ErrorCode;
using torchkiln::base::Result;
using torchkiln::test::error_of;
using torchkiln::test::FaultServer;
using torchkiln::test::in_child;
using torchkiln::test::must;
using torchkiln::test::on_small_disk;
using torchkiln::test::TestFolder;
using Texts = std::vector<std::string>;

namespace {

/// Short times, so that the tests are quick.
HttpLimits quick() {
  HttpLimits limits;
  limits.attempts = 3;
  limits.backoff_s = 0.02;
  limits.longest_retry_after_s = 5;
  limits.connect_timeout_s = 2;
  limits.stall_timeout_s = 1;
  return limits;
}

/// Bytes without a pattern, so that no piece can stand for another.
std::string noise(std::size_t size_bytes, unsigned seed = 1) {
  std::string bytes(size_bytes, '\0');
  std::uint32_t state = seed;
  for (char& c : bytes) c = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  return bytes;
}

struct Downloads {
  FaultServer server;
  TestFolder folder;
  std::string body = noise(300'000);
  std::uint64_t arrived = 0;

  Downloads() { server.serve("wheel", body); }
  fs::path destination() const { return folder.path("cache/wheel"); }
  Result<void> get(const std::string& url, HttpLimits limits = quick()) {
    return get({{url, destination(), Digest::of(body), body.size()}}, limits);
  }
  Result<void> get(const std::vector<Download>& downloads, HttpLimits limits = quick()) {
    HttpClient http(limits);
    return http.download_all(
        downloads, [](std::size_t) { return Result<void>(); }, [this](std::uint64_t bytes) { arrived += bytes; });
  }
  /// What the steps of a plan lead to: the file whole and nothing beside it.
  void check_whole() const {
    CHECK((must(read_file(destination())) == body));
    CHECK(must(list_directory(destination().parent_path())) == Texts{"wheel"});
  }
  void check_nothing() const { CHECK(must(list_directory(destination().parent_path())).empty()); }
};

}  // namespace

TEST_CASE("a download arrives whole, checked and read-only") {
  Downloads t;
  must(t.get(t.server.url("wheel")));
  t.check_whole();
  struct stat status = {};
  REQUIRE(::stat(t.destination().c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0444);
  CHECK(t.arrived == t.body.size());
  CHECK(t.server.ranges() == Texts{""});
}

TEST_CASE("an empty file can be downloaded") {
  Downloads t;
  t.body = "";
  t.server.serve("wheel", "");
  must(t.get(t.server.url("wheel")));
  t.check_whole();
}

TEST_CASE("a body that is cut is resumed where it ended, and no byte arrives twice") {
  Downloads t;
  must(t.get(t.server.url("wheel", "plan", R"([{"cut": 100000}, {"cut": 50000}])")));
  t.check_whole();
  CHECK(t.server.ranges() == Texts{"", "bytes=100000-", "bytes=150000-"});
  CHECK(t.arrived == t.body.size());
}

TEST_CASE("a connection that is reset is resumed") {
  Downloads t;
  must(t.get(t.server.url("wheel", "plan", R"([{"reset": 100000}])")));
  t.check_whole();
  CHECK(t.server.requests().size() == 2);
}

TEST_CASE("a transfer that stalls is cut after the limit and resumed") {
  Downloads t;
  const double start_s = monotonic_s();
  must(t.get(t.server.url("wheel", "plan", R"([{"stall": 100000}])")));
  t.check_whole();
  CHECK(t.server.ranges() == Texts{"", "bytes=100000-"});
  CHECK(monotonic_s() - start_s >= 1);
  CHECK(monotonic_s() - start_s < 12);  // curl judges the speed of the last five seconds
}

TEST_CASE("a server that ignores the range starts the file anew, without a doubled beginning") {
  Downloads t;
  must(t.get(t.server.url("wheel", "plan", R"([{"cut": 100000}, {"ignore_range": true}])")));
  t.check_whole();
  CHECK(t.server.ranges() == Texts{"", "bytes=100000-"});
}

TEST_CASE("a server that answers with another range, or states none, is asked for the whole") {
  for (const std::string range : {"bytes 0-199999/300000", "bytes 100001-299999/300000", "", "nonsense"}) {
    Downloads t;
    must(t.get(t.server.url("wheel", "plan", R"([{"cut": 100000}, {"content_range": ")" + range + R"("}])")));
    t.check_whole();
    CHECK(t.server.ranges() == Texts{"", "bytes=100000-", ""});
  }
}

TEST_CASE("a file that changed on the server between two attempts is fetched from its start") {
  Downloads t;
  t.server.serve("older", noise(300'000, 2));
  must(t.get(t.server.url("wheel", "plan", R"([{"body_of": "older", "cut": 100000}])")));
  t.check_whole();
  CHECK(t.server.ranges() == Texts{"", "bytes=100000-", ""});
}

TEST_CASE("a partial file that the server has no end to is thrown away") {
  Downloads t;
  // The older file was longer than what is there now: the range is beyond the end (416).
  t.server.serve("older", noise(400'000, 2));
  must(t.get({{t.server.url("wheel", "plan", R"([{"body_of": "older", "cut": 350000}])"), t.destination(),
               Digest::of(t.body)}}));
  t.check_whole();
  CHECK(t.server.ranges() == Texts{"", "bytes=350000-", ""});
}

TEST_CASE("what a killed process left is resumed") {
  Downloads t;
  const auto url = t.server.url("wheel", "plan", R"([{"stall": 123456}])");
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    (void)t.get(url);
    ::_exit(0);
  }
  while (size_of_file(partial_path(t.destination())).value_or(0) < 123'456) ::usleep(5000);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  CHECK_FALSE(fs::exists(t.destination()));
  must(t.get(url));
  t.check_whole();
  CHECK(t.server.ranges().back() == "bytes=123456-");
  CHECK(t.arrived == t.body.size() - 123'456);
}

TEST_CASE("a partial file of other bytes is found out by the digest and replaced") {
  Downloads t;
  must(write_file(partial_path(t.destination()), noise(100'000, 3)));
  must(t.get(t.server.url("wheel")));
  t.check_whole();
  CHECK(t.server.ranges() == Texts{"bytes=100000-", ""});
}

TEST_CASE("a partial file longer than the file should be is replaced at once") {
  Downloads t;
  must(write_file(partial_path(t.destination()), t.body + "more"));
  must(t.get(t.server.url("wheel")));
  t.check_whole();
  CHECK(t.server.ranges() == Texts{""});
}

TEST_CASE("a partial file that is complete is checked and kept, not fetched again") {
  Downloads t;
  must(write_file(partial_path(t.destination()), t.body));
  must(t.get(t.server.url("wheel")));
  t.check_whole();
  CHECK(t.arrived == 0);
  must(write_file(partial_path(t.destination()), noise(300'000, 3)));
  must(t.get(t.server.url("wheel")));
  t.check_whole();
  CHECK(t.arrived == t.body.size());
}

TEST_CASE("answers that pass are tried again") {
  for (const int status : {408, 429, 500, 502, 503, 504}) {
    Downloads t;
    const auto step = R"({"status": )" + std::to_string(status) + "}";
    must(t.get(t.server.url("wheel", "plan", "[" + step + "," + step + "]")));
    t.check_whole();
    CHECK(t.server.requests().size() == 3);
  }
}

TEST_CASE("answers that stay are given up after the last attempt, and leave nothing") {
  Downloads t;
  const auto error = error_of(t.get(t.server.url("wheel", "plan", R"([{"forever": true, "status": 503}])")));
  CHECK(error.code == ErrorCode::network_failed);
  CHECK(error.message == t.server.address() + "/plan/wheel answered with status 503");
  CHECK(error.notes == Texts{"tried 3 times"});
  CHECK(t.server.requests().size() == 3);
  CHECK_FALSE(fs::exists(t.destination()));
}

TEST_CASE("a refusal is not asked for again, and says what to do") {
  for (const auto& [status, hint] :
       {std::pair(401, "give the index's user and password in ~/.netrc"),
        std::pair(403, "give the index's user and password in ~/.netrc"),
        std::pair(404,
                  "the file is gone from the index or mirror: 'torchkiln lock --upgrade' takes what is there now"),
        std::pair(
            410,
            "the file is gone from the index or mirror: 'torchkiln lock --upgrade' takes what is there now")}) {
    Downloads t;
    const auto error = error_of(
        t.get(t.server.url("wheel", "plan", R"([{"forever": true, "status": )" + std::to_string(status) + "}]")));
    CHECK(error.code == ErrorCode::network_failed);
    CHECK(error.message == t.server.address() + "/plan/wheel answered with status " + std::to_string(status));
    CHECK(error.hints == Texts{hint});
    CHECK(error.notes.empty());
    CHECK(t.server.requests().size() == 1);
  }
}

TEST_CASE("Retry-After is honoured in seconds and as a date, and capped") {
  const auto waited = [](const std::string& retry_after, double longest_s) {
    Downloads t;
    auto limits = quick();
    limits.longest_retry_after_s = longest_s;
    must(t.get(
        t.server.url("wheel", "plan", R"([{"status": 429, "headers": {"Retry-After": ")" + retry_after + R"("}}])"),
        limits));
    t.check_whole();
    const auto requests = t.server.requests();
    return requests.at(1).at_s - requests.at(0).at_s;
  };
  const double one_s = waited("1", 5), capped_s = waited("3600", 0.5);
  CHECK(one_s >= 1);
  CHECK(one_s < 2);
  CHECK(capped_s >= 0.5);
  CHECK(capped_s < 1.5);
  CHECK(waited("-5", 5) < 1);
  CHECK(waited("soon", 5) < 1);
  // A date has whole seconds: two from now is between one and two seconds away.
  char date[64];
  const std::time_t then = std::time(nullptr) + 2;
  std::strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", std::gmtime(&then));
  const double until_date_s = waited(date, 5);
  CHECK(until_date_s >= 0.9);
  CHECK(until_date_s < 3.5);
}

TEST_CASE("bytes with another digest are thrown away and both digests are told") {
  Downloads t;
  t.server.serve("wheel", noise(300'000, 4));
  const auto error = error_of(t.get(t.server.url("wheel")));
  CHECK(error.code == ErrorCode::integrity_failed);
  CHECK(error.message == t.server.address() + "/wheel does not have the digest it should have");
  CHECK(error.notes ==
        Texts{"want " + Digest::of(t.body).to_string(), "got  " + Digest::of(noise(300'000, 4)).to_string()});
  t.check_nothing();
  CHECK(t.server.requests().size() == 1);
}

TEST_CASE("a wrong file after a partial one is tried once more from its start, not for ever") {
  Downloads t;
  t.server.serve("wheel", noise(300'000, 4));
  must(write_file(partial_path(t.destination()), t.body.substr(0, 1000)));
  CHECK(error_of(t.get(t.server.url("wheel"))).code == ErrorCode::integrity_failed);
  t.check_nothing();
  CHECK(t.server.ranges() == Texts{"bytes=1000-", ""});
}

TEST_CASE("a wrong file from a server that ignored the range is not asked for again") {
  Downloads t;
  t.server.serve("wheel", noise(300'000, 4));
  must(write_file(partial_path(t.destination()), t.body.substr(0, 1000)));
  CHECK(error_of(t.get(t.server.url("wheel", "plan", R"([{"forever": true, "ignore_range": true}])"))).code ==
        ErrorCode::integrity_failed);
  t.check_nothing();
  CHECK(t.server.requests().size() == 1);
}

TEST_CASE("a file larger than its index says is refused and leaves nothing") {
  Downloads t;
  const auto error =
      error_of(t.get({{t.server.url("wheel"), t.destination(), Digest::of(t.body), t.body.size() - 1}}));
  CHECK(error.code == ErrorCode::integrity_failed);
  CHECK(error.message == t.server.address() + "/wheel is larger than the 299999 bytes it should have");
  t.check_nothing();
}

TEST_CASE("a file smaller than its index says is refused as what it is and leaves nothing") {
  Downloads t;
  const auto error =
      error_of(t.get({{t.server.url("wheel"), t.destination(), Digest::of(t.body), t.body.size() + 1}}));
  CHECK(error.code == ErrorCode::integrity_failed);
  CHECK(error.message == t.server.address() + "/wheel is smaller than the 300001 bytes it should have");
  t.check_nothing();
}

TEST_CASE("a full disk is told as one, and the partial file does not keep it full") {
  Downloads t;
  must(make_directories(t.folder.path("cache")));
  t.body = noise(3'000'000);
  t.server.serve("wheel", t.body);
  const auto url = t.server.url("wheel");
  CHECK(on_small_disk(t.folder.path("cache"), 1U << 20, [&]() -> std::string {
          const auto got = t.get(url);
          if (got) return "it fitted";
          return std::string(name(got.error().code)) + " " +
                 std::to_string(list_directory(t.folder.path("cache"))->size());
        }) == "disk-full 0");
}

TEST_CASE("many files are fetched side by side, never more than the limit, each told when it is there") {
  Downloads t;
  auto limits = quick();
  limits.parallel = 4;
  std::vector<Download> downloads;
  std::vector<std::string> bodies;
  for (unsigned i = 0; i < 24; ++i) {
    bodies.push_back(noise(2000 + i, i));
    const auto name = "file" + std::to_string(i);
    t.server.serve(name, bodies.back());
    downloads.push_back({t.server.url(name, "plan" + name, R"([{"slow": 0.004}])"), t.folder.path("cache/" + name),
                         Digest::of(bodies.back()), bodies.back().size()});
  }
  std::vector<std::size_t> told;
  HttpClient http(limits);
  must(http.download_all(
      downloads,
      [&](std::size_t i) -> Result<void> {
        CHECK((must(read_file(downloads[i].destination)) == bodies[i]));
        told.push_back(i);
        return {};
      },
      [](std::uint64_t) {}));
  std::sort(told.begin(), told.end());
  REQUIRE(told.size() == 24);
  CHECK(told.back() == 23);
  int most = 0;
  for (const auto& request : t.server.requests()) most = std::max(most, request.parallel);
  CHECK(most >= 2);
  CHECK(most <= 4);
}

TEST_CASE("the first failure ends all, also one of whoever waits for the files") {
  Downloads t;
  std::vector<Download> downloads;
  for (int i = 0; i < 3; ++i)
    downloads.push_back({t.server.url("wheel"), t.folder.path("cache/" + std::to_string(i)), Digest::of(t.body)});
  HttpClient http(quick());
  const auto error = error_of(http.download_all(
      downloads, [](std::size_t) { return Result<void>(torchkiln::base::fail(ErrorCode::internal, "stop")); },
      [](std::uint64_t) {}));
  CHECK(error.message == "stop");
}

TEST_CASE("more files than there are descriptors can be downloaded") {
  Downloads t;
  std::vector<Download> downloads;
  for (unsigned i = 0; i < 60; ++i) {
    const auto name = "file" + std::to_string(i);
    t.server.serve(name, name);
    downloads.push_back({t.server.url(name), t.folder.path("cache/" + name), Digest::of(name)});
  }
  CHECK(in_child([&]() -> std::string {
          const rlimit few = {40, 40};
          ::setrlimit(RLIMIT_NOFILE, &few);
          const auto got = t.get(downloads);
          return got ? "all there" : got.error().message;
        }) == "all there");
}

TEST_CASE("an interrupt stops a download, and the next run goes on from there") {
  Downloads t;
  const auto url = t.server.url("wheel", "plan", R"([{"stall": 100000}])");
  CHECK(in_child([&]() -> std::string {
          catch_interrupts();
          std::thread([&t] {
            while (size_of_file(partial_path(t.destination())).value_or(0) < 100'000) ::usleep(5000);
            ::kill(::getpid(), SIGINT);
          }).detach();
          auto limits = quick();
          limits.stall_timeout_s = 30;
          const auto got = t.get(url, limits);
          return got ? "done" : std::string(name(got.error().code));
        }) == "interrupted");
  must(t.get(url));
  t.check_whole();
  CHECK(t.server.ranges().back() == "bytes=100000-");
}

TEST_CASE("redirects are followed, and a loop of them is refused") {
  Downloads t;
  must(t.get(t.server.url("wheel", "plan", R"([{"redirect": "{here}/wheel"}])")));
  t.check_whole();
  const auto error =
      error_of(t.get(t.server.url("other", "loop", R"([{"forever": true, "redirect": "{here}/loop/other"}])")));
  CHECK(error.code == ErrorCode::network_failed);
  CHECK(error.message == "cannot fetch " + t.server.address() + "/loop/other: Maximum (10) redirects followed");
}

TEST_CASE("a password goes to the server it is for and to no other, and never into a message") {
  Downloads t;
  FaultServer elsewhere(FaultServer::Own::process);
  elsewhere.serve("wheel", t.body);
  auto url = t.server.url("wheel", "plan", R"([{"redirect": ")" + elsewhere.url("wheel") + R"("}])");
  url.insert(url.find("127"), "user:secret@");
  must(t.get(url));
  CHECK(t.server.requests().at(0).authorization == "Basic dXNlcjpzZWNyZXQ=");
  CHECK(elsewhere.requests().at(0).authorization.empty());
  auto gone = t.server.url("gone");
  gone.insert(7, "user:secret@");
  const auto error = error_of(t.get(gone));
  CHECK(error.message == t.server.address() + "/gone answered with status 404");
}

TEST_CASE("a server that is not there is network_failed with a hint") {
  int port = 0;
  {
    const FaultServer server(FaultServer::Own::process);
    port = server.port();
  }
  Downloads t;
  const auto url = "http://127.0.0.1:" + std::to_string(port) + "/wheel";
  const auto error = error_of(t.get(url));
  CHECK(error.code == ErrorCode::network_failed);
  CHECK_THAT(error.message,
             Catch::Matchers::StartsWith("cannot fetch " + url + ": Failed to connect to 127.0.0.1"));
  CHECK(error.hints.size() == 1);
  CHECK(error.notes == Texts{"tried 3 times"});
}

TEST_CASE("addresses that are not http are refused") {
  Downloads t;
  const auto secret = t.folder.write("secret", "x");
  const auto error = error_of(t.get("file://" + secret.string()));
  CHECK(error.code == ErrorCode::network_failed);
  CHECK(error.hints == Texts{"only http and https addresses, and no redirect from https to http"});
}

namespace {
/// A certificate for 127.0.0.1 that signs itself.
std::vector<std::string> make_certificate(const TestFolder& folder, const std::string& name) {
  const auto certificate = folder.path("certificate.pem").string(), key = folder.path("key.pem").string();
  const std::string command =
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=x "
      "-addext subjectAltName=" +
      name + " -keyout " + key + " -out " + certificate + " 2>/dev/null";
  REQUIRE(std::system(command.c_str()) == 0);
  return {certificate, key};
}
struct CertificateFile {
  std::string before = environment("SSL_CERT_FILE").value_or("");
  explicit CertificateFile(const std::string& file) { ::setenv("SSL_CERT_FILE", file.c_str(), 1); }
  ~CertificateFile() { ::setenv("SSL_CERT_FILE", before.c_str(), 1); }
};
}  // namespace

TEST_CASE("https works with the authority of SSL_CERT_FILE, and a redirect down to http is refused") {
  TestFolder folder;
  const auto certificate = make_certificate(folder, "IP:127.0.0.1");
  const FaultServer secure(FaultServer::Own::process, certificate);
  Downloads t;
  secure.serve("wheel", t.body);
  const CertificateFile trusted(certificate[0]);
  must(t.get(secure.url("wheel")));
  t.check_whole();
  // From http up to https is fine.
  fs::remove(t.destination());
  must(t.get(t.server.url("wheel", "up", R"([{"redirect": ")" + secure.url("wheel") + R"("}])")));
  t.check_whole();
  fs::remove(t.destination());
  const auto error =
      error_of(t.get(secure.url("wheel", "down", R"([{"redirect": ")" + t.server.url("wheel") + R"("}])")));
  CHECK(error.code == ErrorCode::network_failed);
  CHECK(error.hints == Texts{"only http and https addresses, and no redirect from https to http"});
  CHECK_FALSE(fs::exists(t.destination()));
}

TEST_CASE("a certificate of nobody we trust, or for another name, is refused with the way out") {
  TestFolder folder;
  const auto certificate = make_certificate(folder, "DNS:index.example");
  const FaultServer secure(FaultServer::Own::process, certificate);
  Downloads t;
  secure.serve("wheel", t.body);
  const auto refused = [&] {
    const auto error = error_of(t.get(secure.url("wheel")));
    CHECK(error.code == ErrorCode::network_failed);
    CHECK(error.hints == Texts{"if a private authority signed the certificate, name its file in SSL_CERT_FILE"});
    CHECK(secure.requests().empty());
  };
  refused();
  const CertificateFile trusted(certificate[0]);
  refused();
}

TEST_CASE("a fetch gives the body, and a range of it with the size of the whole") {
  const FaultServer server;
  const auto body = noise(10'000);
  server.serve("x", body);
  HttpClient http(quick());
  const auto url = server.url("x");
  const auto whole = must(http.fetch({url}));
  CHECK(whole.status == 200);
  CHECK((whole.body == body));
  const auto middle = must(http.fetch({url, ByteRange{100, 50, false}}));
  CHECK(middle.status == 206);
  CHECK((middle.body == body.substr(100, 50)));
  CHECK(middle.total_bytes == 10'000);
  const auto end = must(http.fetch({url, ByteRange{0, 70, true}}));
  CHECK((end.body == body.substr(9'930)));
  CHECK(end.total_bytes == 10'000);
  const auto all = must(http.fetch({url, ByteRange{0, 70'000, true}}));
  CHECK((all.body == body));
  CHECK(all.total_bytes == 10'000);
}

TEST_CASE("fetches come back in the order asked, whoever answered first") {
  const FaultServer server;
  std::vector<Fetch> fetches;
  for (int i = 0; i < 10; ++i) {
    const auto name = "f" + std::to_string(i);
    server.serve(name, name);
    fetches.push_back({server.url(name, "p" + name, i % 2 ? "[]" : R"([{"status": 503}])")});
  }
  HttpClient http(quick());
  const auto results = must(http.fetch_all(fetches));
  for (int i = 0; i < 10; ++i) CHECK(results[static_cast<std::size_t>(i)].body == "f" + std::to_string(i));
}

TEST_CASE("a server that ignores ranges is told by status 200 and not read to its end") {
  const FaultServer server;
  server.serve("x", noise(5'000'000));
  HttpClient http(quick());
  const auto result = must(http.fetch(
      {server.url("x", "plan", R"([{"forever": true, "ignore_range": true}])"), ByteRange{0, 10, true}}));
  CHECK(result.status == 200);
  CHECK(result.body.empty());
}

TEST_CASE("a range that is not the one asked for is not taken for it") {
  const FaultServer server;
  server.serve("x", noise(10'000));
  HttpClient http(quick());
  int number = 0;
  for (const std::string stated : {"bytes 0-49/10000", "bytes 100-148/10000", "bytes 101-150/10000", ""}) {
    const auto error =
        error_of(http.fetch({server.url("x", "plan" + std::to_string(number++),
                                        R"([{"forever": true, "content_range": ")" + stated + R"("}])"),
                             ByteRange{100, 50, false}}));
    CHECK(error.code == ErrorCode::network_failed);
  }
  // The last bytes of a file of 40 bytes cannot be 70.
  CHECK(
      error_of(http.fetch({server.url("x", "end", R"([{"forever": true, "content_range": "bytes 9930-9999/40"}])"),
                           ByteRange{0, 70, true}}))
          .code == ErrorCode::network_failed);
}

TEST_CASE("a body beyond the limit is refused, counted after decompression") {
  const FaultServer server;
  server.serve("x", std::string(1'000'000, 'x'));
  auto limits = quick();
  limits.body_limit_bytes = 999'999;
  HttpClient http(limits);
  for (const char* steps : {"[]", R"([{"gzip": true}])"}) {
    const auto error = error_of(http.fetch({server.url("x", "plan" + std::string(steps).substr(1, 1), steps)}));
    CHECK(error.code == ErrorCode::network_failed);
    CHECK_THAT(error.message, Catch::Matchers::EndsWith(" answered with more than 1.0 MB"));
  }
  limits.body_limit_bytes = 1'000'000;
  HttpClient enough(limits);
  CHECK(must(enough.fetch({server.url("x", "gzip", R"([{"gzip": true}])")})).body.size() == 1'000'000);
}

TEST_CASE("a fetch that is cut is asked for again, whole") {
  const FaultServer server;
  const auto body = noise(100'000);
  server.serve("x", body);
  HttpClient http(quick());
  CHECK((must(http.fetch({server.url("x", "plan", R"([{"cut": 50000}])")})).body == body));
}

TEST_CASE("a client that may not use the network fetches nothing, and nothing is no failure") {
  Downloads t;
  auto limits = quick();
  limits.access = NetworkAccess::forbidden;
  HttpClient http(limits);
  CHECK(must(http.fetch_all({})).empty());
  auto url = t.server.url("wheel");
  url.insert(7, "user:secret@");
  for (const auto& error : {error_of(http.fetch({url})), error_of(t.get(url, limits))}) {
    CHECK(error.code == ErrorCode::network_failed);
    CHECK(error.message == "cannot fetch " + t.server.url("wheel") + " without the network");
    CHECK(error.hints == Texts{"it is not in the cache; without --offline it would be fetched"});
  }
  CHECK(t.server.requests().empty());
}

TEST_CASE("an absent file is a failure, or an answer where the caller says so") {
  FaultServer server;
  HttpClient client(quick());
  CHECK(error_of(client.fetch({server.url("nothing")})).code == ErrorCode::network_failed);
  const auto answer = must(client.fetch({server.url("nothing"), std::nullopt, "", Absence::is_an_answer}));
  CHECK(answer.status == 404);
  CHECK(answer.body.empty());
}

TEST_CASE("an answer says where it came from after redirects") {
  FaultServer server;
  server.serve("file", "bytes");
  const auto answer =
      must(HttpClient(quick()).fetch({server.url("x", "plan", R"([{"redirect": "{here}/file"}])")}));
  CHECK(answer.url == server.url("file"));
  CHECK(answer.body == "bytes");
}

TEST_CASE("a link means an http or https address relative to its page, or nothing") {
  const std::string page = "https://index.example/simple/torch/";
  CHECK(absolute_url(page, "a%2Bb.whl#sha256=1") == "https://index.example/simple/torch/a%2Bb.whl#sha256=1");
  CHECK(absolute_url(page, "../../x") == "https://index.example/x");
  CHECK(absolute_url(page, "/whl/x") == "https://index.example/whl/x");
  CHECK(absolute_url(page, "http://other.example/x") == "http://other.example/x");
  CHECK_FALSE(absolute_url(page, "file:///etc/passwd"));
  CHECK_FALSE(absolute_url("nonsense", "x"));
}
