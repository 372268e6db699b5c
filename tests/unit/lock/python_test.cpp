#include "plan/lock/python.hpp"

#include "foundation/base/text.hpp"
#include "foundation/sys/environment.hpp"
#include "support/fake_tool.hpp"
#include "support/fault_server.hpp"
#include "support/zip_builder.hpp"
#include "unit/lock/variables.hpp"

#include <catch2/catch.hpp>

using namespace torchkiln::lock;
using torchkiln::base::Digest;
using torchkiln::base::ErrorCode;
using torchkiln::base::Result;
using torchkiln::lock::test::Variables;
using torchkiln::sys::NetworkAccess;
using torchkiln::test::error_of;
using torchkiln::test::FakeTool;
using torchkiln::test::FaultServer;
using torchkiln::test::must;
using torchkiln::test::TestFolder;
using torchkiln::test::WheelBuilder;
using Texts = std::vector<std::string>;

namespace {
int fit(const std::string& tags) {
  return wheel_fit("pkg-1.0-" + tags + ".whl", "3.11", "2.36", "x86_64");
}
}  // namespace

TEST_CASE("uv is asked for a platform that it knows and that the system satisfies") {
  CHECK(uv_platform("x86_64", "2.36") == "x86_64-manylinux_2_36");
  CHECK(uv_platform("x86_64", "2.41") == "x86_64-manylinux_2_40");
  CHECK(uv_platform("aarch64", "2.30") == "aarch64-manylinux_2_28");
  CHECK(uv_platform("x86_64", "2.17") == "x86_64-manylinux_2_17");
}

TEST_CASE("a wheel made for this Python fits better than one for its stable ABI, and that better than any Python") {
  CHECK(fit("cp311-cp311-manylinux_2_17_x86_64") > fit("cp311-abi3-manylinux_2_17_x86_64"));
  CHECK(fit("cp311-abi3-manylinux_2_17_x86_64") > fit("cp39-abi3-manylinux_2_17_x86_64"));
  CHECK(fit("cp39-abi3-manylinux_2_17_x86_64") > fit("cp37-abi3-manylinux_2_17_x86_64"));
  CHECK(fit("cp37-abi3-manylinux_2_17_x86_64") > fit("py3-none-manylinux_2_17_x86_64"));
  CHECK(fit("py311-none-any") > fit("py3-none-any"));
  CHECK(fit("cp311-none-any") > fit("py311-none-any"));
  CHECK(fit("py2.py3-none-any") == fit("py3-none-any"));
  CHECK(fit("py3-none-any") > 0);
}

TEST_CASE("of the platforms that fit the newest glibc is best, and the interpreter counts more than the platform") {
  CHECK(fit("cp311-cp311-manylinux_2_28_x86_64") > fit("cp311-cp311-manylinux_2_17_x86_64"));
  CHECK(fit("cp311-cp311-manylinux_2_17_x86_64") > fit("cp311-cp311-linux_x86_64"));
  CHECK(fit("cp311-cp311-linux_x86_64") > 0);
  CHECK(fit("py3-none-linux_x86_64") > fit("py3-none-any"));
  CHECK(fit("cp311-cp311-linux_x86_64") > fit("cp311-abi3-manylinux_2_36_x86_64"));
  CHECK(fit("cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64") == fit("cp311-cp311-manylinux2014_x86_64"));
}

TEST_CASE("the old names of platforms stand for their glibc") {
  CHECK(fit("py3-none-manylinux1_x86_64") == fit("py3-none-manylinux_2_5_x86_64"));
  CHECK(fit("py3-none-manylinux2010_x86_64") == fit("py3-none-manylinux_2_12_x86_64"));
  CHECK(fit("py3-none-manylinux2014_x86_64") == fit("py3-none-manylinux_2_17_x86_64"));
}

TEST_CASE("wheels for another Python, platform or newer glibc do not fit") {
  for (const char* tags : {"cp312-cp312-manylinux_2_17_x86_64",
                           "cp310-cp310-manylinux_2_17_x86_64",
                           "cp311-cp310-any",
                           "cp312-abi3-any",
                           "cp3-abi3-any",
                           "cp311-cp311t-any",
                           "cp311-abi3t-any",
                           "py2-none-any",
                           "py312-none-any",
                           "pp311-pypy311_pp73-any",
                           "cp311-cp311-manylinux_2_37_x86_64",
                           "cp311-cp311-musllinux_1_2_x86_64",
                           "cp311-cp311-win_amd64",
                           "cp311-cp311-macosx_11_0_arm64",
                           "cp311-cp311-macosx_10_9_x86_64",
                           "cp311-cp311-manylinux_2_17_aarch64",
                           "cp311-cp311-linux_i686",
                           "cp310-none-any",
                           "cp311-cp311-manylinux_3_1_x86_64",
                           "cp311-cp311-manylinux_2_x86_64",
                           "cp311-cp311-android_21_x86_64"}) {
    INFO(tags);
    CHECK(fit(tags) == 0);
  }
  CHECK(wheel_fit("no wheel", "3.11", "2.36", "x86_64") == 0);
  CHECK(wheel_fit("pkg-1.0-py3-none-manylinux_2_17_aarch64.whl", "3.11", "2.36", "aarch64") > 0);
  CHECK(wheel_fit("pkg-1.0-cp310-cp310-manylinux_2_35_x86_64.whl", "3.10", "2.35", "x86_64") > 0);
}

namespace {
const std::string k_sha = std::string(64, 'a');
std::string pylock(const std::string& packages) {
  return "lock-version = \"1.0\"\ncreated-by = \"uv\"\nrequires-python = \">=3.11\"\n\n" + packages;
}
std::string wheel_line(const std::string& url, const std::string& more = "") {
  return "{ url = \"" + url + "\"" + more + ", hashes = { sha256 = \"" + k_sha + "\" } }";
}
Result<std::vector<LockedWheel>> read(const std::string& packages) {
  return read_pylock(pylock(packages), "pylock.toml", "3.11", "2.36", "x86_64");
}
}  // namespace

TEST_CASE("a pylock.toml gives each package's best wheel, sorted by name") {
  const auto wheels = must(read(
      "[[packages]]\nname = \"Zope.Interface\"\nversion = \"7.0\"\nwheels = [\n    " +
      wheel_line("https://index.example/z/zope.interface-7.0-cp310-cp310-manylinux_2_17_x86_64.whl") + ",\n    " +
      wheel_line("https://index.example/z/zope.interface-7.0-cp311-cp311-manylinux_2_17_x86_64.whl",
                 ", upload-time = 2025-08-06T14:53:00.123Z, size = 1234") +
      ",\n    " + wheel_line("https://index.example/z/zope.interface-7.0-cp311-cp311-win_amd64.whl") +
      ",\n]\n\n[[packages]]\nname = \"beta\"\nversion = \"2.0+local\"\nindex = "
      "\"https://index.example/simple\"\nwheels "
      "= [" +
      wheel_line("https://index.example/b/beta-2.0%2Blocal-py3-none-any.whl#sha256=x") + "]\n"));
  REQUIRE(wheels.size() == 2);
  CHECK(wheels[0].name == "beta");
  CHECK(wheels[0].version == "2.0+local");
  CHECK(wheels[0].file_name == "beta-2.0+local-py3-none-any.whl");
  CHECK(wheels[0].url == "https://index.example/b/beta-2.0%2Blocal-py3-none-any.whl#sha256=x");
  CHECK(wheels[0].digest.hex() == k_sha);
  CHECK(wheels[0].size_bytes == 0);
  CHECK(wheels[0].uploaded_s == 0);
  CHECK(wheels[1].name == "zope-interface");
  CHECK(wheels[1].file_name == "zope.interface-7.0-cp311-cp311-manylinux_2_17_x86_64.whl");
  CHECK(wheels[1].size_bytes == 1234);
  CHECK(wheels[1].uploaded_s == 1'754'491'980);
}

TEST_CASE("the wheel's own name wins over its address, and the version over nothing") {
  const auto wheels =
      must(read("[[packages]]\nname = \"a\"\nwheels = [" +
                wheel_line("https://index.example/download?id=7", ", name = \"a-1.5-py3-none-any.whl\"") + "]\n"));
  CHECK(wheels.at(0).file_name == "a-1.5-py3-none-any.whl");
  CHECK(wheels.at(0).version == "1.5");
}

TEST_CASE("a user and password in an address do not get into the lock") {
  CHECK(must(read("[[packages]]\nname = \"a\"\nversion = \"1\"\nwheels = [" +
                  wheel_line("https://user:secret@index.example/a-1-py3-none-any.whl") + "]\n"))
            .at(0)
            .url == "https://index.example/a-1-py3-none-any.whl");
}

TEST_CASE("a package without a wheel that fits is a conflict at its place") {
  for (const std::string& wheels :
       {std::string(), "wheels = [" + wheel_line("https://index.example/a-1-cp311-cp311-win_amd64.whl") + "]\n",
        std::string("[packages.sdist]\nurl = \"https://index.example/a-1.tar.gz\"\n")}) {
    const auto error = error_of(read("[[packages]]\nname = \"a\"\nversion = \"1\"\n" + wheels));
    CHECK(error.code == ErrorCode::package_conflict);
    CHECK(error.message == "a has no wheel for Python 3.11 on x86_64 with glibc 2.36");
    CHECK(error.where->to_string() == "pylock.toml:5:1");
  }
}

TEST_CASE("a wheel without a SHA-256 is refused") {
  for (const char* hashes : {"", ", hashes = { md5 = \"00\" }", ", hashes = {}"}) {
    const auto error =
        error_of(read("[[packages]]\nname = \"a\"\nversion = \"1\"\nwheels = [{ url = "
                      "\"https://index.example/a-1-py3-none-any.whl\"" +
                      std::string(hashes) + " }]\n"));
    CHECK(error.code == ErrorCode::integrity_failed);
    CHECK(error.message == "a-1-py3-none-any.whl has no SHA-256 in its index");
  }
}

TEST_CASE("a pylock.toml that is damaged is lock_invalid with its place") {
  CHECK(error_of(read_pylock("[[", "pylock.toml", "3.11", "2.36", "x86_64")).code == ErrorCode::lock_invalid);
  CHECK(error_of(read("[[packages]]\nversion = \"1\"\n")).code == ErrorCode::lock_invalid);
  CHECK(error_of(read("packages = 5\n")).code == ErrorCode::lock_invalid);
  CHECK(error_of(read("[[packages]]\nname = \"a\"\nwheels = [{ url = 5 }]\n")).code == ErrorCode::lock_invalid);
  CHECK(error_of(read("[[packages]]\nname = \"a\"\nversion = \"1\"\nwheels = [{ url = "
                      "\"https://index.example/a-1-py3-none-any.whl\", hashes = { sha256 = \"xyz\" } }]\n"))
            .code == ErrorCode::lock_invalid);
}

TEST_CASE("an address whose file name leads elsewhere is no wheel") {
  CHECK(error_of(read("[[packages]]\nname = \"a\"\nversion = \"1\"\nwheels = [" +
                      wheel_line("https://index.example/..%2F..%2Fa-1-py3-none-any.whl") + "]\n"))
            .code == ErrorCode::package_conflict);
}

// uv, a fake one that records what it was asked and fails as told.

namespace {

const std::string k_write_output = R"(
while [ $# -gt 0 ]; do case "$1" in --output-file) out=$2 ;; --constraints) cp "$2" "$FAKE/constraints" ;; esac; shift; done
env | sort > "$FAKE/environment"; pwd > "$FAKE/folder"
[ -f "$out" ] && cp "$out" "$FAKE/earlier"
cat > "$out" <<'END'
)" +
                                   pylock("[[packages]]\nname = \"a\"\nversion = \"1\"\nwheels = [" +
                                          wheel_line("https://index.example/a-1-py3-none-any.whl") + "]\n") +
                                   "END\n";

struct Uv {
  TestFolder folder;
  FakeTool uv;
  explicit Uv(const std::string& body) : uv("uv", body) {}
  PythonRequest request() const {
    PythonRequest request;
    request.requirements = {"torch==2.8.0", "numpy>=1.26; python_version > '3'"};
    request.constraints = {"torchvision==0.23.0"};
    request.python = "3.11";
    request.glibc = "2.36";
    request.architecture = "x86_64";
    request.uv = uv.program("uv");
    request.cache = folder.path("cache");
    request.work = folder.path("work");
    return request;
  }
};

bool has(const Texts& list, const std::string& item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}
std::string after(const Texts& list, const std::string& option) {
  const auto at = std::find(list.begin(), list.end(), option);
  return at == list.end() || at + 1 == list.end() ? "(absent)" : *(at + 1);
}

}  // namespace

TEST_CASE("uv is asked for wheels of the image's Python and platform, and what it wrote is read") {
  const Uv t(k_write_output);
  Variables variables;
  variables.set("VIRTUAL_ENV", "/somewhere");
  variables.set("UV_CONSTRAINT", "/somewhere");
  const auto pins = must(pin_python(t.request()));
  CHECK(pins.wheels.size() == 1);
  CHECK(pins.pylock == pylock("[[packages]]\nname = \"a\"\nversion = \"1\"\nwheels = [" +
                              wheel_line("https://index.example/a-1-py3-none-any.whl") + "]\n"));
  REQUIRE(t.uv.calls().size() == 1);
  const auto arguments = t.uv.calls()[0];
  CHECK(arguments[0] == "pip");
  CHECK(arguments[1] == "compile");
  CHECK(after(arguments, "--format") == "pylock.toml");
  CHECK(after(arguments, "--python-version") == "3.11");
  CHECK(after(arguments, "--python-platform") == "x86_64-manylinux_2_36");
  CHECK(after(arguments, "--only-binary") == ":all:");
  CHECK(after(arguments, "--cache-dir") == t.folder.path("cache").string());
  CHECK_FALSE(has(arguments, "--offline"));
  CHECK_FALSE(has(arguments, "--upgrade-package"));
  CHECK(t.uv.text("constraints") == "torchvision==0.23.0\n");
  const auto environment = t.uv.text("environment");
  CHECK(environment.find("\nVIRTUAL_ENV=") == std::string::npos);
  CHECK(environment.find("\nUV_CONSTRAINT=") == std::string::npos);
  CHECK(environment.find("\nUV_PYTHON_DOWNLOADS=never\n") != std::string::npos);
  CHECK(must(torchkiln::sys::list_directory(t.folder.path("work"))).empty());
}

TEST_CASE("indexes and their passwords reach uv, but not where every user of the machine can read them") {
  const Uv t(k_write_output);
  Variables variables;
  variables.set("UV_INDEX", std::nullopt);
  auto request = t.request();
  request.indexes.index = "https://user:secret@index.example/simple";
  request.indexes.extra = {"https://one.example/simple", "https://two.example/simple"};
  request.indexes.torch_index = "https://torch.example/whl";
  request.build = "cu126";
  must(pin_python(request));
  const auto calls = t.uv.calls();
  for (const auto& argument : calls.at(0)) CHECK(argument.find("secret") == std::string::npos);
  CHECK(after(calls[0], "--index-strategy") == "unsafe-best-match");
  const auto environment = t.uv.text("environment");
  CHECK(environment.find("\nUV_DEFAULT_INDEX=https://user:secret@index.example/simple\n") != std::string::npos);
  CHECK(environment.find(
            "\nUV_INDEX=https://one.example/simple https://two.example/simple https://torch.example/whl/cu126\n") !=
        std::string::npos);
}

TEST_CASE("an index that uv is configured with itself is kept beside PyTorch's own") {
  const Uv t(k_write_output);
  Variables variables;
  variables.set("UV_INDEX", "https://configured.example/simple");
  auto request = t.request();
  request.indexes.torch_index = "https://torch.example/whl";
  request.build = "cu126";
  must(pin_python(request));
  CHECK(t.uv.text("environment")
            .find("\nUV_INDEX=https://configured.example/simple https://torch.example/whl/cu126\n") !=
        std::string::npos);
}

TEST_CASE("what an earlier lock pinned is shown to uv, unless all is upgraded") {
  const Uv t(k_write_output);
  auto request = t.request();
  request.earlier_pylock = "earlier";
  request.upgrade_packages = {"numpy", "scipy"};
  request.network = NetworkAccess::forbidden;
  must(pin_python(request));
  CHECK(t.uv.text("earlier") == "earlier");
  const auto arguments = t.uv.calls().at(0);
  CHECK(after(arguments, "--upgrade-package") == "numpy");
  CHECK(has(arguments, "scipy"));
  CHECK(has(arguments, "--offline"));
  std::filesystem::remove(t.uv.path() / "earlier");
  request.upgrade = Upgrade::all;
  must(pin_python(request));
  CHECK_FALSE(std::filesystem::exists(t.uv.path() / "earlier"));
}

TEST_CASE("uv's failures become what they are") {
  const auto error_for = [](const std::string& errors, int status, NetworkAccess network = NetworkAccess::allowed) {
    const Uv t("cat >&2 <<'END'\n" + errors + "\nEND\nexit " + std::to_string(status));
    auto request = t.request();
    request.network = network;
    const auto error = error_of(pin_python(request));
    CHECK(must(torchkiln::sys::list_directory(t.folder.path("work"))).empty());
    return error;
  };
  const auto conflict = error_for(
      "error: No solution found when resolving dependencies\n  cause: Because only alpha==1.0 is available and you "
      "require alpha>5, we can conclude that your requirements are unsatisfiable.\n",
      1);
  CHECK(conflict.code == ErrorCode::package_conflict);
  CHECK(conflict.message == "no set of Python packages satisfies the spec");
  CHECK(conflict.notes.size() == 2);
  CHECK(conflict.hints.size() == 1);

  const auto unreachable = error_for(
      "error: Request failed after 3 retries in 9.0s\n  cause: Failed to fetch: "
      "https://user:secret@index.example/simple/alpha/\n  cause: error sending request",
      2);
  CHECK(unreachable.code == ErrorCode::network_failed);
  CHECK(unreachable.message == "the Python package index does not answer");
  CHECK(unreachable.notes.at(1) == "  cause: Failed to fetch: https://index.example/simple/alpha/");

  const auto unauthorized = error_for(
      "error: No solution found when resolving dependencies\n  cause: Because alpha was not found in the package "
      "registry and you require alpha, we can conclude that your requirements are unsatisfiable.\n\nhint: An index "
      "URL "
      "(https://index.example/simple) could not be queried due to a lack of valid authentication credentials (401 "
      "Unauthorized)",
      1);
  CHECK(unauthorized.code == ErrorCode::network_failed);
  CHECK(unauthorized.message == "the Python package index wants a user and a password");

  const auto offline = error_for(
      "error: No solution found when resolving dependencies\n  cause: Because alpha was not found in the cache and "
      "you "
      "require alpha\n\nhint: Packages were unavailable because the network was disabled.",
      1, NetworkAccess::forbidden);
  CHECK(offline.code == ErrorCode::network_failed);
  CHECK(offline.message == "what the lock needs is not in the cache");
  CHECK(offline.hints == Texts{"without --offline the index would be asked"});

  for (const int status : {1, 2, 101}) {
    const auto failed =
        error_for("error: Failed to initialize cache at `/x`\n  cause: No space left on device", status);
    CHECK(failed.code == ErrorCode::tool_failed);
    CHECK(failed.message == "'uv' failed with status " + std::to_string(status));
    CHECK(failed.notes.size() == 2);
  }
}

TEST_CASE("uv that says yes but writes nothing, or nonsense, is not believed") {
  CHECK(error_of(pin_python(Uv("exit 0").request())).code == ErrorCode::file_failed);
  const Uv t("while [ $# -gt 0 ]; do case \"$1\" in --output-file) echo '[[' > \"$2\" ;; esac; shift; done");
  CHECK(error_of(pin_python(t.request())).code == ErrorCode::lock_invalid);
}

TEST_CASE("a uv that is not there is tool_missing") {
  const Uv t("exit 0");
  auto request = t.request();
  request.uv = "/no/such/uv";
  CHECK(error_of(pin_python(request)).code == ErrorCode::tool_missing);
}

// The real uv.

namespace {

std::filesystem::path real_uv() {
  if (const auto named = torchkiln::sys::environment("TORCHKILN_UV")) return *named;
  return std::filesystem::path(TK_SOURCE_DIR) / ".tools/bin/uv";
}

/// A PEP 503 index on the loopback address.
struct Index {
  FaultServer server;
  std::map<std::string, std::string> files;

  void add(WheelBuilder builder, const std::string& requires_line = "") {
    builder.files[builder.dist_info() + "/METADATA"] = {"Metadata-Version: 2.1\nName: " + builder.name +
                                                        "\nVersion: " + builder.version + "\n" + requires_line};
    const auto name = builder.file_name();
    files[name] = builder.bytes();
    server.serve(name, files[name]);
    std::string page = "<!DOCTYPE html><html><body>\n";
    for (const auto& [file, bytes] : files)
      if (file.starts_with(builder.name + "-"))
        page += "<a href=\"../../" + torchkiln::base::replace_all(file, "+", "%2B") +
                "#sha256=" + Digest::of(bytes).hex() + "\">" + file + "</a>\n";
    server.serve("simple/" + builder.name + "/index.html", page + "</body></html>\n");
  }
  std::string address() const { return server.address() + "/simple"; }
};

}  // namespace

TEST_CASE("the real uv locks two wheels of a real index, twice the same, and says no where there is no way") {
  const auto uv = real_uv();
  INFO("uv is at " << uv << "; scripts/setup installs it, TORCHKILN_UV names another");
  REQUIRE(std::filesystem::exists(uv));
  Index index;
  WheelBuilder alpha, beta, old_beta;
  alpha.name = "alpha";
  beta.name = old_beta.name = "beta";
  old_beta.version = "1.5";
  beta.version = "2.0+local";
  index.add(alpha, "Requires-Dist: beta>=1\n");
  index.add(old_beta);
  index.add(beta);

  const TestFolder folder;
  PythonRequest request;
  request.requirements = {"alpha"};
  request.python = "3.11";
  request.glibc = "2.36";
  request.architecture = "x86_64";
  request.indexes.index = index.address();
  request.uv = uv;
  request.cache = folder.path("cache");
  request.work = folder.path("work");
  const auto pins = must(pin_python(request));
  REQUIRE(pins.wheels.size() == 2);
  CHECK(pins.wheels[0].name == "alpha");
  CHECK(pins.wheels[0].digest == Digest::of(index.files["alpha-1.0-py3-none-any.whl"]));
  CHECK(pins.wheels[0].url == index.server.url("alpha-1.0-py3-none-any.whl"));
  CHECK(pins.wheels[1].version == "2.0+local");
  CHECK(pins.wheels[1].file_name == "beta-2.0+local-py3-none-any.whl");
  CHECK(must(pin_python(request)).pylock == pins.pylock);

  // What an earlier lock pinned stays, although there is a newer one now; until it is upgraded.
  WheelBuilder newer;
  newer.name = "beta";
  newer.version = "3.0";
  index.add(newer);
  request.cache = folder.path("fresh");
  request.earlier_pylock = pins.pylock;
  CHECK(must(pin_python(request)).pylock == pins.pylock);
  request.upgrade_packages = {"beta"};
  CHECK(must(pin_python(request)).wheels.at(1).version == "3.0");

  request.requirements = {"alpha>5"};
  const auto no = error_of(pin_python(request));
  CHECK(no.code == ErrorCode::package_conflict);
  CHECK_THAT(no.notes.at(1), Catch::Matchers::Contains("only alpha==1.0 is available and you require alpha>5"));

  request.requirements = {"gamma"};
  request.network = NetworkAccess::forbidden;
  request.earlier_pylock.clear();
  CHECK(error_of(pin_python(request)).code == ErrorCode::network_failed);
}

TEST_CASE("an index that wants a password gets it from its address, and no file holds it") {
  const auto uv = real_uv();
  REQUIRE(std::filesystem::exists(uv));
  Index index;
  WheelBuilder alpha;
  alpha.name = "alpha";
  index.add(alpha);
  const TestFolder folder;
  PythonRequest request;
  request.requirements = {"alpha"};
  request.python = "3.11";
  request.glibc = "2.36";
  request.architecture = "x86_64";
  request.indexes.index = index.address();
  request.indexes.index.insert(7, "user:secret@");
  request.uv = uv;
  request.cache = folder.path("cache");
  request.work = folder.path("work");
  const auto pins = must(pin_python(request));
  CHECK(index.server.requests().at(0).authorization == "Basic dXNlcjpzZWNyZXQ=");
  CHECK(pins.pylock.find("secret") == std::string::npos);
  CHECK(pins.wheels.at(0).url.find("secret") == std::string::npos);
}
