#include "plan/lock/debian.hpp"

#include "foundation/base/text.hpp"
#include "support/fake_tool.hpp"
#include "support/test_folder.hpp"

#include <catch2/catch.hpp>

using namespace torchkiln::lock;
using torchkiln::base::ErrorCode;
using torchkiln::sys::NetworkAccess;
using torchkiln::test::error_of;
using torchkiln::test::FakeTool;
using torchkiln::test::must;
using torchkiln::test::TestFolder;
using Texts = std::vector<std::string>;

namespace {
const std::string k_sha = std::string(64, 'b');
std::string uri_line(const std::string& file, const std::string& hash = "SHA256:" + k_sha) {
  return "'http://mirror.example/debian/pool/main/x/" + file + "' " + file + " 12345 " + hash;
}
}  // namespace

TEST_CASE("a line of apt-get --print-uris names a package with address, size and digest") {
  const auto deb = must(parse_print_uris_line(uri_line("tini_0.19.0-1+b3_amd64.deb")));
  CHECK(deb.name == "tini");
  CHECK(deb.version == "0.19.0-1+b3");
  CHECK(deb.architecture == "amd64");
  CHECK(deb.url == "http://mirror.example/debian/pool/main/x/tini_0.19.0-1+b3_amd64.deb");
  CHECK(deb.size_bytes == 12345);
  CHECK(deb.digest.hex() == k_sha);
  CHECK(deb.is_base());
}

TEST_CASE("an epoch is read out of its escape") {
  const auto deb = must(parse_print_uris_line(uri_line("zlib1g_1%3a1.2.13.dfsg-1_amd64.deb")));
  CHECK(deb.version == "1:1.2.13.dfsg-1");
  CHECK(deb.name == "zlib1g");
}

TEST_CASE("a mirror's password does not get into the lock") {
  CHECK(must(parse_print_uris_line("'http://user:secret@mirror.example/x_1_all.deb' x_1_all.deb 1 SHA256:" + k_sha))
            .url == "http://mirror.example/x_1_all.deb");
}

TEST_CASE("lines that say anything else, or state a weaker digest, are refused") {
  for (const std::string& line :
       {std::string(), std::string("'"), std::string("''"), std::string("Reading package lists..."),
        uri_line("x_1_amd64.deb", "MD5Sum:0123456789abcdef0123456789abcdef"), uri_line("x_1_amd64.deb", ""),
        uri_line("x_1_amd64.deb", "SHA512:" + k_sha + k_sha), uri_line("x_1_amd64.udeb"), uri_line("x_1.deb"),
        uri_line("x_1_2_amd64.deb"), uri_line("_1_amd64.deb"), uri_line("x__amd64.deb"),
        uri_line("../x_1_amd64.deb"), uri_line("x_1_amd64.deb") + " more",
        "'http://a.example/x' x_1_amd64.deb -5 SHA256:" + k_sha,
        "'http://a.example/x' x_1_amd64.deb many SHA256:" + k_sha, uri_line("x_1_amd64.deb", "SHA256:xyz")}) {
    INFO(line);
    const auto error = error_of(parse_print_uris_line(line));
    CHECK(error.code == ErrorCode::tool_failed);
    CHECK(error.message == "apt-get --print-uris said '" + line + "'");
  }
}

namespace {

/// A fake apt-get: what `update` and `install` do is in the file "plan".
const std::string k_apt = R"(
cp "$APT_CONFIG" "$FAKE/apt.conf"; echo "$LC_ALL" > "$FAKE/locale"
. "$FAKE/plan"
case " $* " in *" update "*) update; exit ;; esac
install "$@"
)";
const std::string k_prints = R"sh(
update() {
  lists=$(sed -n 's/^Dir::State::Lists "\(.*\)";/\1/p' "$APT_CONFIG")
  touch "$lists/mirror_Packages"
}
install() {
  echo "Reading package lists..."
  for p in "$@" libc6; do case "$p" in -*|install|\?*) ;; *)
    sha256=$(printf %s "$p" | sha256sum | cut -c1-64)
    echo "'http://mirror.example/${p}_1%3a2_amd64.deb' ${p}_1%3a2_amd64.deb 100 SHA256:$sha256" ;;
  esac; done
}
)sh";

struct Apt {
  TestFolder folder;
  FakeTool apt{"apt-get", k_apt};
  DebianRequest request;

  explicit Apt(const std::string& plan = k_prints) {
    must(torchkiln::sys::write_file(apt.path() / "plan", plan));
    request.architecture = "amd64";
    request.sources = {{"deb http://mirror.example/debian bookworm main"}};
    request.base_packages = {"tini", "python3"};
    request.system_packages = {{"git", {"kiln.toml", 9, 11}}};
    request.build_packages = {"g++", "python3"};
    request.state = folder.path("apt");
  }
};

}  // namespace

TEST_CASE("Debian packages are pinned for an empty system, those of the build root told apart") {
  const Apt t;
  const auto debs = must(pin_debian(t.request));
  Texts names;
  for (const auto& deb : debs) names.push_back(deb.name + (deb.in_build_root ? " (build)" : ""));
  CHECK(names == Texts{"g++ (build)", "git", "libc6", "python3", "tini"});
  CHECK(debs[0].version == "1:2");
  const auto calls = t.apt.calls();
  REQUIRE(calls.size() == 3);
  CHECK(calls[0] == Texts{"-q", "update"});
  CHECK(calls[1] == Texts{"-qq", "--yes", "--print-uris", "install", "?essential", "tini", "python3", "git"});
  CHECK(calls[2] ==
        Texts{"-qq", "--yes", "--print-uris", "install", "?essential", "tini", "python3", "git", "g++", "python3"});
  CHECK(t.apt.text("locale") == "C.UTF-8\n");
}

TEST_CASE("apt sees no configuration, package or preference of this machine, and must check by SHA-256") {
  const Apt t;
  must(pin_debian(t.request));
  const auto configuration = t.apt.text("apt.conf");
  for (const char* line :
       {"Dir::Etc::main \"/dev/null\";", "Dir::Etc::parts \"/dev/null\";", "Dir::Etc::sourceparts \"/dev/null\";",
        "Dir::Etc::preferences \"/dev/null\";", "Acquire::ForceHash \"sha256\";", "APT::Architecture \"amd64\";",
        "APT::Architectures { \"amd64\"; };", "APT::Install-Recommends \"false\";",
        "APT::Update::Error-Mode \"any\";"})
    CHECK_THAT(configuration, Catch::Matchers::Contains(line));
  for (const auto line : torchkiln::base::lines(configuration))
    if (line.starts_with("Dir::") && line.find("/dev/null") == std::string_view::npos)
      CHECK_THAT(std::string(line), Catch::Matchers::Contains(t.folder.path("apt").string()));
}

TEST_CASE("another mirror has another folder of lists") {
  Apt t;
  must(pin_debian(t.request));
  t.request.sources = {{"deb http://other.example/debian bookworm main"}};
  must(pin_debian(t.request));
  CHECK(must(torchkiln::sys::list_directory(t.request.state)).size() == 2);
  must(pin_debian(t.request));
  CHECK(must(torchkiln::sys::list_directory(t.request.state)).size() == 2);
}

TEST_CASE("a package that no source has is the spec's error, at its place") {
  const Apt t("update() { :; }\ninstall() { echo 'E: Unable to locate package git' >&2; exit 100; }");
  const auto error = error_of(pin_debian(t.request));
  CHECK(error.code == ErrorCode::spec_invalid);
  CHECK(error.message == "there is no Debian package 'git'");
  CHECK(error.where->to_string() == "kiln.toml:9:11");
  CHECK(error.hints == Texts{"check the spelling: 'apt-cache search WORD' lists packages"});
}

TEST_CASE("packages that cannot be together are a conflict with apt's reasons") {
  const Apt t(
      "update() { :; }\ninstall() { echo 'Some packages could not be installed.'; echo 'E: Unable to correct "
      "problems, "
      "you have held broken packages.' >&2; exit 100; }");
  const auto error = error_of(pin_debian(t.request));
  CHECK(error.code == ErrorCode::package_conflict);
  CHECK(error.message == "no set of Debian packages satisfies the spec");
  CHECK(error.notes == Texts{"Unable to correct problems, you have held broken packages."});
}

TEST_CASE("a mirror that does not answer is network_failed, without its password") {
  const Apt t(
      "update() { echo 'E: Failed to fetch http://user:secret@mirror.example/x  Could not resolve' >&2; exit 100; "
      "}");
  const auto error = error_of(pin_debian(t.request));
  CHECK(error.code == ErrorCode::network_failed);
  CHECK(error.message == "the Debian mirror does not answer as it should");
  CHECK(error.notes == Texts{"Failed to fetch http://mirror.example/x  Could not resolve"});
  CHECK(error.hints.size() == 1);
}

TEST_CASE("offline, the lists of an earlier time are used, and their absence is told as what it is") {
  Apt t;
  t.request.network = NetworkAccess::forbidden;
  const auto error = error_of(pin_debian(t.request));
  CHECK(error.code == ErrorCode::network_failed);
  CHECK(error.message == "apt has no package lists of the Debian mirror");
  CHECK(error.hints == Texts{"run once without --offline, so that they are fetched"});
  t.request.network = NetworkAccess::allowed;
  must(pin_debian(t.request));
  t.request.network = NetworkAccess::forbidden;
  CHECK(must(pin_debian(t.request)).size() == 5);
  for (const auto& call : t.apt.calls()) CHECK((call[0] == "-qq" || call == Texts{"-q", "update"}));
}

TEST_CASE("an apt that prints nonsense is not believed") {
  const Apt t(
      "update() { :; }\ninstall() { echo \"'http://mirror.example/x_1_amd64.deb' x_1_amd64.deb 5 MD5Sum:00\"; }");
  CHECK(error_of(pin_debian(t.request)).code == ErrorCode::tool_failed);
}

TEST_CASE("an apt that is not there is tool_missing") {
  const Apt t;
  const std::string path = std::getenv("PATH");
  ::setenv("PATH", "/nowhere", 1);
  const auto result = pin_debian(t.request);
  ::setenv("PATH", path.c_str(), 1);
  CHECK(error_of(result).code == ErrorCode::tool_missing);
}

TEST_CASE("what a part needs beyond the base is the part's, and what two need is both's") {
  using torchkiln::spec::Part;
  Apt t;
  t.request.parts = {
      {Part::devel, {}, {"gdb", "g++"}}, {Part::jupyter, {}, {}}, {Part::ssh, {}, {"openssh-server", "gdb"}}};
  const auto debs = must(pin_debian(t.request));
  Texts told;
  for (const auto& deb : debs)
    told.push_back(deb.name + (deb.is_base() ? "" : " " + name(deb.parts)) + (deb.in_build_root ? " build" : ""));
  CHECK(told == Texts{"g++ devel build", "gdb devel+ssh", "git", "libc6", "openssh-server ssh", "python3", "tini"});
  CHECK(t.apt.calls().size() == 5);  // jupyter asks for nothing, so apt is not asked
}
