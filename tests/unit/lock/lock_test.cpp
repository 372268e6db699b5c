#include "plan/lock/lock.hpp"

#include "foundation/base/text.hpp"
#include "unit/lock/lock_fixture.hpp"

#include <catch2/catch.hpp>

using namespace torchkiln::lock;
using torchkiln::base::Digest;
using torchkiln::base::Error;
using torchkiln::base::ErrorCode;
using torchkiln::base::Place;
using torchkiln::base::replace_all;
using torchkiln::lock::test::a_deb;
using torchkiln::lock::test::a_lock;
using torchkiln::lock::test::a_resolution;
using torchkiln::lock::test::a_wheel;
using torchkiln::test::error_of;
using torchkiln::test::must;
using Texts = std::vector<std::string>;

namespace {

const std::string k_text =
    R"(# Made by 'torchkiln lock'. Everything the image is made of; commit it beside kiln.toml.
# It holds the addresses that the files came from; the digests decide, not the addresses.
schema = "torchkiln.lock/1"
spec = "sha256:5d92f3b48a0b3d4e6a0b5a1f7d3ef5d1c8f6d3f9cd3d2c43d2b3d3d2d3a3b3c3"
matrix = "MATRIX"
requested = ["torch==2.8.0", "numpy>=1.26", "pip"]
requested_debian = ["build:g++", "ca-certificates", "python3", "tini"]

[image]
name = "team/pytorch"
user = "kiln"
uid = 1000
gid = 1000

[resolution]
pytorch = "2.8.0"
build = "cu128"
index = "default"
released = "2025-08-06"
architecture = "x86_64"
cuda = "12.8"
cudnn = "9.10.2.21"
nccl = "2.27.3"
triton = "3.4.0"
python = "3.11"
os = "debian-12"
distribution = "debian"
suite = "bookworm"
glibc = "2.36"
driver_minimum = "525.60.13"
driver_without_minor_version_compatibility = "570.26"
sass = ["7.0", "9.0"]
ptx = []
)";

/// The lock's text with one thing changed.
std::string changed(const std::string& from, const std::string& to) {
  auto text = to_toml(a_lock());
  const auto at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}
Error error_for(const std::string& text) {
  const auto error = error_of(parse(text, "kiln.lock"));
  CHECK(error.code == ErrorCode::lock_invalid);
  return error;
}
std::string said(const Error& error) {
  return (error.where ? error.where->to_string() + ": " : "") + error.message;
}

}  // namespace

TEST_CASE("a lock is written for people to read, everything at its place") {
  const auto lock = a_lock();
  const auto text = to_toml(lock);
  auto start = k_text;
  start.replace(start.find("sha256:5d92"), 71, lock.spec_digest.to_string());
  start = replace_all(start, "MATRIX", lock.matrix_revision.to_string());
  CHECK(text.substr(0, start.size()) == start);
  CHECK(
      text.substr(start.size()) ==
      "\n[[wheel]]\nname = \"numpy\"\nversion = \"2.3.1\"\nfile = \"numpy-2.3.1-py3-none-any.whl\"\n"
      "url = \"https://index.example/packages/numpy-2.3.1-py3-none-any.whl\"\nsha256 = \"" +
          lock.wheels[0].digest.hex() +
          "\"\nsize = 1000\nunpacked_size = 3000\n"
          "\n[[wheel]]\nname = \"pip\"\nversion = \"25.2\"\nfile = \"pip-25.2-py3-none-any.whl\"\n"
          "url = \"https://index.example/packages/pip-25.2-py3-none-any.whl\"\nsha256 = \"" +
          lock.wheels[1].digest.hex() +
          "\"\nsize = 1000\nunpacked_size = 3000\n"
          "\n[[wheel]]\nname = \"torch\"\nversion = \"2.8.0\"\nfile = \"torch-2.8.0-py3-none-any.whl\"\n"
          "url = \"https://index.example/packages/torch-2.8.0-py3-none-any.whl\"\nsha256 = \"" +
          lock.wheels[2].digest.hex() +
          "\"\nsize = 887000000\nunpacked_size = 3000\nuploaded = \"2025-08-06T14:53:00Z\"\nlayer = \"" +
          Digest::of("layer").to_string() + "\"\ndiff_id = \"" + Digest::of("diff").to_string() +
          "\"\nlayer_size = 888000000\n"
          "\n[[debian]]\nname = \"g++\"\nversion = \"4:12.2.0-3\"\narchitecture = \"amd64\"\nparts = [\"build\"]\n"
          "url = \"http://mirror.example/pool/g++_4:12.2.0-3_amd64.deb\"\nsha256 = \"" +
          lock.debs[0].digest.hex() +
          "\"\nsize = 2000\n"
          "\n[[debian]]\nname = \"tini\"\nversion = \"0.19.0-1+b3\"\narchitecture = \"amd64\"\n"
          "url = \"http://mirror.example/pool/tini_0.19.0-1+b3_amd64.deb\"\nsha256 = \"" +
          lock.debs[1].digest.hex() + "\"\nsize = 2000\n");
}

TEST_CASE("a lock that is written, read and written again is the same bytes") {
  const auto text = to_toml(a_lock());
  const auto read = must(parse(text, "kiln.lock"));
  CHECK(to_toml(read) == text);
  CHECK((read.resolution == a_lock().resolution));
  CHECK(read.wheels[2].layer == a_lock().wheels[2].layer);
  CHECK(read.debs[0].in_build_root);
  auto strange = a_lock();
  strange.requested = {"quo\"te\\back gr\xC3\xBC\xC3\x9F; python_version > '3'"};
  strange.wheels.clear();
  strange.debs.clear();
  strange.resolution.cudnn.clear();
  strange.bytecode = LockedLayer{Digest::of("layer"), Digest::of("diff"), 5, 7};
  CHECK(to_toml(must(parse(to_toml(strange), "kiln.lock"))) == to_toml(strange));
  CHECK(must(parse(to_toml(strange), "kiln.lock")).requested == strange.requested);
  CHECK(must(parse(to_toml(strange), "kiln.lock")).bytecode == strange.bytecode);
}

TEST_CASE("what a lock does not know is an error with its place and the nearest known word") {
  const auto key = error_for(changed("uploaded = ", "uploadet = "));
  CHECK(said(key) == "kiln.lock:61:1: unknown key \"uploadet\" in [wheel]");
  CHECK(key.hints == Texts{"did you mean \"uploaded\"?"});
  CHECK(said(error_for("x = 1\n" + to_toml(a_lock()))) == "kiln.lock:1:1: unknown key \"x\"");
  CHECK_THAT(said(error_for("[[[\n")), Catch::Matchers::StartsWith("kiln.lock:1:"));
}

TEST_CASE("a value that cannot be is an error at its place") {
  CHECK(said(error_for(changed("torchkiln.lock/1", "torchkiln.lock/2"))) ==
        "kiln.lock:3:10: schema is 'torchkiln.lock/2'; this torchkiln reads torchkiln.lock/1");
  CHECK(error_for(changed("torchkiln.lock/1", "torchkiln.lock/2")).hints ==
        Texts{"make it anew with 'torchkiln lock'"});
  CHECK(said(error_for(changed("sha256 = \"", "sha256 = \"x"))) ==
        "kiln.lock:40:10: 'x" + a_lock().wheels[0].digest.hex() + "' is no SHA-256 digest");
  CHECK(said(error_for(changed("size = 1000", "size = -1"))) == "kiln.lock:41:8: size is negative");
  CHECK(said(error_for(changed("size = 1000", "size = \"1000\""))) != "");
  CHECK(said(error_for(changed("parts = [\"build\"]", "parts = [\"x\"]"))) ==
        "kiln.lock:70:10: there is no part 'x'");
  CHECK(said(error_for(changed("unpacked_size = 3000\n", "unpacked_size = 3000\nparts = [\"build\"]\n"))) ==
        "kiln.lock:43:10: there is no part 'build'");
  CHECK(said(error_for(changed("2025-08-06T14:53:00Z", "yesterday"))) == "kiln.lock:61:12: 'yesterday' is no time");
}

TEST_CASE("an image's user is never root and always one that can be mapped, whatever a lock says") {
  for (const char* id : {"uid = 0", "uid = 4294967296", "uid = -1", "gid = 0"})
    CHECK_THAT(said(error_for(changed(std::string(id).substr(0, 3) + " = 1000", id))),
               Catch::Matchers::StartsWith("kiln.lock:1"));
}

TEST_CASE("nothing in a lock can become something else in a Dockerfile, a label or an account file") {
  const auto refusal = [](const std::string& line_start, const std::string& value) {
    const auto text = to_toml(a_lock());
    const auto at = text.find("\n" + line_start + " = ") + 1;
    REQUIRE(at != 0);
    return said(error_for(text.substr(0, at) + line_start + " = " + value + text.substr(text.find('\n', at))));
  };
  CHECK(refusal("name", R"("x\nRUN id")") ==
        "kiln.lock:10:8: image name \"x\nRUN id\" is not allowed at \"x\nRUN id\"");
  CHECK(refusal("user", R"("a:0:0")") == "kiln.lock:11:8: \"a:0:0\" is not a user name");
  CHECK(refusal("user", R"("root")") == "kiln.lock:11:8: the user must not be root");
  CHECK(refusal("pytorch", R"("2.8.0\n")") == "kiln.lock:16:11: pytorch has a character that it cannot have");
  CHECK(refusal("build", R"("cu128$id")") == "kiln.lock:17:9: build has a character that it cannot have");
  CHECK(refusal("suite", R"("../x")") == "kiln.lock:28:9: suite has a character that it cannot have");
  CHECK(refusal("requested", R"(["torch\nRUN id"])") == "kiln.lock:6:14: requested has a control character");
  CHECK(refusal("version", R"("1`id`")") == "kiln.lock:37:11: version has a character that it cannot have");
  CHECK_THAT(refusal("file", R"("../x-1-py3-none-any.whl")"), Catch::Matchers::StartsWith("kiln.lock:38:8: "));
  CHECK_THAT(refusal("file", R"("x$y-1-py3-none-any.whl")"), Catch::Matchers::StartsWith("kiln.lock:"));
  CHECK(refusal("url", R"("http://x.example/ y")") == "kiln.lock:39:7: url has a character that it cannot have");
}

TEST_CASE("what a lock must have is missed by name") {
  const auto without = [](const std::string& line_start) {
    auto text = to_toml(a_lock());
    const auto at = text.find("\n" + line_start);
    REQUIRE(at != std::string::npos);
    return said(error_for(text.erase(at, text.find('\n', at + 1) - at)));
  };
  for (const char* key : {"schema",  "spec",  "matrix",         "name",     "user",      "uid",  "gid",
                          "pytorch", "build", "architecture",   "cuda",     "python",    "os",   "distribution",
                          "suite",   "glibc", "driver_minimum", "released", "version",   "file", "url",
                          "sha256",  "size",  "unpacked_size",  "diff_id",  "layer_size"})
    CHECK_THAT(without(std::string(key) + " ="), Catch::Matchers::Contains(key));
  CHECK_THAT(without("[image]"), Catch::Matchers::StartsWith("kiln.lock:"));
  CHECK_THAT(said(error_for("")), Catch::Matchers::Contains("schema"));
  // These a resolution may be without.
  for (const char* key : {"cudnn", "nccl", "triton"}) {
    auto text = to_toml(a_lock());
    const auto at = text.find("\n" + std::string(key) + " =");
    must(parse(text.erase(at, text.find('\n', at + 1) - at), "kiln.lock"));
  }
}

TEST_CASE("a lock cut anywhere is refused or means what is left of it, without harm") {
  const auto text = to_toml(a_lock());
  for (std::size_t length = 0; length < text.size(); length += 7) {
    const auto read = parse(text.substr(0, length), "kiln.lock");
    if (!read) CHECK(read.error().code == ErrorCode::lock_invalid);
  }
}

TEST_CASE("locks that give the same image have one identity") {
  const auto identity_of = [](const std::function<void(Lock&)>& change) {
    auto lock = a_lock();
    change(lock);
    return identity(lock);
  };
  const auto same = identity(a_lock());
  CHECK(same == identity(must(parse(to_toml(a_lock()), "kiln.lock"))));
  CHECK(identity_of([](Lock& l) { l.wheels[0].url = "https://other.example/x"; }) == same);
  CHECK(identity_of([](Lock& l) { l.debs[0].url = "http://other.example/x"; }) == same);
  CHECK(identity_of([](Lock& l) { l.wheels[2].layer.reset(); }) == same);
  CHECK(identity_of([](Lock& l) { l.bytecode = LockedLayer{}; }) == same);
  CHECK(identity_of([](Lock& l) { l.matrix_revision = Digest::of("newer"); }) == same);
  CHECK(identity_of([](Lock& l) { l.spec_digest = Digest::of("other"); }) == same);
  CHECK(identity_of([](Lock& l) { l.resolution.index = "pytorch"; }) == same);

  CHECK(identity_of([](Lock& l) { l.wheels[0].digest = Digest::of("x"); }) != same);
  CHECK(identity_of([](Lock& l) { l.wheels.pop_back(); }) != same);
  CHECK(identity_of([](Lock& l) { l.debs[1].digest = Digest::of("x"); }) != same);
  CHECK(identity_of([](Lock& l) { l.debs[0].in_build_root = false; }) != same);
  CHECK(identity_of([](Lock& l) { l.user.name = "other"; }) != same);
  CHECK(identity_of([](Lock& l) { l.user.uid = 1001; }) != same);
  CHECK(identity_of([](Lock& l) { l.user.gid = 1001; }) != same);
  CHECK(identity_of([](Lock& l) { l.image_name = "other"; }) != same);
  CHECK(identity_of([](Lock& l) { l.requested.pop_back(); }) != same);
  CHECK(identity_of([](Lock& l) { l.resolution.cuda = "12.9"; }) != same);
  CHECK(identity_of([](Lock& l) { l.resolution.sass = {"7.0"}; }) != same);
  // The time of the newest wheel is in the image: in its configuration and in /etc/shadow.
  CHECK(identity_of([](Lock& l) { l.wheels[2].uploaded_s += 1; }) != same);
  CHECK(identity_of([](Lock& l) { l.wheels[0].uploaded_s = 1; }) == same);
}

TEST_CASE("an image was created when its newest wheel was, or when its PyTorch was released") {
  auto lock = a_lock();
  CHECK(lock.created_s() == 1'754'491'980);
  lock.wheels[0].uploaded_s = 1'800'000'000;
  CHECK(lock.created_s() == 1'800'000'000);
  for (auto& wheel : lock.wheels) wheel.uploaded_s = 0;
  CHECK(lock.created_s() == 1'754'438'400);  // 2025-08-06T00:00:00Z
  lock.resolution.released = "";
  CHECK(lock.created_s() == 0);
}

TEST_CASE("a resolution is locked as text, what it lacks as nothing") {
  CHECK((locked(a_resolution()) == a_lock().resolution));
  auto without = a_resolution();
  without.cudnn.reset();
  CHECK(locked(without).cudnn.empty());
}

TEST_CASE("tags are made of PyTorch, build, cuDNN's major version and Python") {
  auto r = a_lock().resolution;
  CHECK(version_tag(r) == "2.8.0-cu128-cudnn9-py311");
  r.cudnn.clear();
  r.python = "3.13";
  CHECK(version_tag(r) == "2.8.0-cu128-py313");
}

TEST_CASE("a locked version is found by name") {
  CHECK(locked_version(a_lock(), "torch") == "2.8.0");
  CHECK(locked_version(a_lock(), "Torch").empty());
  CHECK(locked_version(a_lock(), "other").empty());
}

TEST_CASE("a lock says which part needs what; what the base has says nothing") {
  using torchkiln::spec::Part;
  using torchkiln::spec::Variant;
  auto lock = a_lock();
  lock.wheels[0].parts = {Part::devel, Part::jupyter};
  lock.debs[0].parts = {Part::devel};
  lock.resolution.gpus = {"8.0", "9.0"};
  const auto text = to_toml(lock);
  CHECK(text.find("unpacked_size = 3000\nparts = [\"devel\", \"jupyter\"]\n") != std::string::npos);
  CHECK(text.find("architecture = \"amd64\"\nparts = [\"build\", \"devel\"]\n") != std::string::npos);
  CHECK(text.find("\ngpus = [\"8.0\", \"9.0\"]\n") != std::string::npos);
  const auto read = must(parse(text, "kiln.lock"));
  CHECK(to_toml(read) == text);
  CHECK(is_in(read.wheels[0], {Part::jupyter}));
  CHECK_FALSE(is_in(read.wheels[0], {Part::ssh}));
  CHECK_FALSE(is_in(read.wheels[0], {}));
  CHECK(is_in(read.wheels[1], {}));
  CHECK(is_in(read.debs[0], {Part::devel, Part::ssh}));
  CHECK_FALSE(is_in(read.debs[0], {Part::ssh}));
  CHECK(is_in(read.debs[1], {Part::ssh}));
}

TEST_CASE("a lock from before there were parts is read, and means the same image") {
  auto text = to_toml(a_lock());
  const auto replace = [&](const std::string& from, const std::string& to) {
    const auto at = text.find(from);
    REQUIRE(at != std::string::npos);
    text.replace(at, from.size(), to);
  };
  replace("parts = [\"build\"]\n", "role = \"build\"\n");
  replace("name = \"tini\"\n", "name = \"tini\"\nrole = \"base\"\n");
  const auto read = must(parse(text, "kiln.lock"));
  CHECK(identity(read) == identity(a_lock()));
  CHECK(to_toml(read) == to_toml(a_lock()));
  // As torchkiln 0.1 computed it: images that were built from such a lock still answer it.
  CHECK(identity(read).hex() == "5ca4344485b4669db0490be77c0be0a7b446001ed574be8a061ef43f42159b80");
}

TEST_CASE("a lock says what image it stands on, and where its Python comes from") {
  auto lock = a_lock();
  const auto alone = identity(lock);
  lock.base =
      LockedBase{"registry.example/debian:12",
                 "registry.example/debian@" + Digest::of("manifest").to_string(),
                 Digest::of("manifest"),
                 {{Digest::of("blob"), Digest::of("tar"), 123, "application/vnd.oci.image.layer.v1.tar+gzip"}}};
  lock.python = LockedArchive{"python", "3.12", "https://files.example/python.tar.gz", Digest::of("python"), 0, {}};
  lock.has_toolkit_in_base = true;
  const auto read = must(parse(to_toml(lock), "kiln.lock"));
  CHECK(read.base == lock.base);
  CHECK(read.python->digest == lock.python->digest);
  CHECK(read.has_toolkit_in_base);
  CHECK(to_toml(read) == to_toml(lock));
  CHECK(identity(read) != alone);
}
