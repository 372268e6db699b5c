#include "assembly/layer/wheel_layer.hpp"

#include "foundation/base/text.hpp"
#include "foundation/sys/process.hpp"
#include "support/child.hpp"
#include "support/test_folder.hpp"
#include "support/zip_builder.hpp"

#include <catch2/catch.hpp>
#include <clocale>
#include <sys/stat.h>

using namespace torchkiln::layer;
using torchkiln::base::Digest;
using torchkiln::base::ErrorCode;
using torchkiln::base::Result;
using torchkiln::sys::BlobStore;
using torchkiln::test::error_of;
using torchkiln::test::in_child;
using torchkiln::test::must;
using torchkiln::test::on_small_disk;
using torchkiln::test::TestFolder;
using torchkiln::test::WheelBuilder;
using torchkiln::wheel::InstallScheme;
using torchkiln::wheel::Wheel;
using Texts = std::vector<std::string>;

namespace {

struct Layers {
  TestFolder folder;
  BlobStore store{folder.path("blobs")};

  Result<LayerFacts> make(const std::vector<WheelBuilder>& builders, const InstallScheme& scheme = {}) const {
    std::vector<Wheel> wheels;
    for (const auto& builder : builders)
      wheels.push_back(must(Wheel::open(folder.write(builder.file_name(), builder.bytes()), builder.file_name())));
    return make_wheel_layer(wheels, scheme, store);
  }
  Texts run(std::vector<std::string> arguments) const {
    torchkiln::sys::Command command;
    command.arguments = std::move(arguments);
    const auto done = must(torchkiln::sys::run_checked(command));
    CHECK(done.errors.empty());
    Texts lines;
    for (const auto line : torchkiln::base::lines(done.output)) lines.emplace_back(line);
    return lines;
  }
  std::string path(const LayerFacts& facts) const { return store.path(facts.digest).string(); }
  /// Type, mode, owner, time, size and name of every entry, as Python's tarfile reads them; and whether the facts
  /// are true of the blob.
  Texts listing(const LayerFacts& facts) const {
    return run({"python3", "-c", R"(
import gzip, hashlib, sys, tarfile
path, digest, size, diff_id, unpacked = sys.argv[1:]
blob = open(path, 'rb').read()
tar = gzip.decompress(blob)
assert hashlib.sha256(blob).hexdigest() == digest and len(blob) == int(size), 'digest or size'
assert hashlib.sha256(tar).hexdigest() == diff_id and len(tar) == int(unpacked), 'diff_id or unpacked size'
assert tar.endswith(bytes(1024)), 'end of archive'
for m in tarfile.open(path):
    assert m.mtime == 315532800 and (m.uid, m.gid, m.uname, m.gname) == (0, 0, '', ''), m
    print(m.type.decode(), format(m.mode, 'o'), m.size, m.name))",
                path(facts), facts.digest.hex(), std::to_string(facts.size_bytes), facts.diff_id.hex(),
                std::to_string(facts.unpacked_bytes)});
  }
};

/// A wheel with everything that a layer treats in its own way.
WheelBuilder demo() {
  WheelBuilder builder;
  builder.files["demo/__init__.py"] = {"x = 1\n"};
  builder.files["demo/large.bin"] = {std::string(100'000, 'z') + "end"};
  builder.files["demo/stored.bin"] = {"as it is", 0100644, 0};
  builder.files["demo/empty"] = {""};
  builder.files["demo/program"] = {"#!/bin/sh\n", 0100755};
  builder.files["demo-1.0.data/scripts/run"] = {"#!python\n"};
  builder.files["demo-1.0.dist-info/entry_points.txt"] = {"[console_scripts]\ndemo = demo:main\n"};
  return builder;
}

/// The digest that `demo` has had since recipe 2. Not to be re-recorded: a change here means that every
/// published wheel layer gets another digest. Raise k_wheel_layer_recipe instead, and say why.
const std::string k_demo_digest = "sha256:bcbc29432add845b3b02efc0efb94507af74a278d0939fdf79fbd09fbe4f5620",
                  k_demo_diff_id = "sha256:931ba75bfdd3a7e785e423d979136808db019e2718bdfc78b9278ae11136329c";

}  // namespace

TEST_CASE(
    "a wheel's layer has its files once, sorted, with fixed owner, time and modes, every folder before its "
    "content") {
  const Layers t;
  const auto facts = must(t.make({demo()}));
  const std::string site = "opt/kiln/lib/python3/site-packages";
  CHECK(t.listing(facts) == Texts{"5 755 0 opt",
                                  "5 755 0 opt/kiln",
                                  "5 755 0 opt/kiln/bin",
                                  "0 755 104 opt/kiln/bin/demo",
                                  "0 755 23 opt/kiln/bin/run",
                                  "5 755 0 opt/kiln/lib",
                                  "5 755 0 opt/kiln/lib/python3",
                                  "5 755 0 " + site,
                                  "5 755 0 " + site + "/demo",
                                  "0 644 6 " + site + "/demo/__init__.py",
                                  "0 644 0 " + site + "/demo/empty",
                                  "0 644 100003 " + site + "/demo/large.bin",
                                  "0 755 10 " + site + "/demo/program",
                                  "0 644 8 " + site + "/demo/stored.bin",
                                  "5 755 0 " + site + "/demo-1.0.dist-info",
                                  "0 644 10 " + site + "/demo-1.0.dist-info/INSTALLER",
                                  "0 644 46 " + site + "/demo-1.0.dist-info/METADATA",
                                  "0 644 849 " + site + "/demo-1.0.dist-info/RECORD",
                                  "0 644 75 " + site + "/demo-1.0.dist-info/WHEEL",
                                  "0 644 35 " + site + "/demo-1.0.dist-info/entry_points.txt"});
}

TEST_CASE("gzip and tar read a layer, and the files have the wheel's bytes") {
  const Layers t;
  const auto facts = must(t.make({demo()}));
  t.run({"sh", "-c", "gzip -t < \"$0\"", t.path(facts)});
  CHECK(t.run({"tar", "-tzf", t.path(facts)}).size() == 20);
  must(torchkiln::sys::make_directories(t.folder.path("out")));
  t.run({"tar", "-xzf", t.path(facts), "-C", t.folder.path("out").string()});
  const std::string site = "out/opt/kiln/lib/python3/site-packages/demo/";
  CHECK((t.folder.text(site + "large.bin") == std::string(100'000, 'z') + "end"));
  CHECK(t.folder.text(site + "stored.bin") == "as it is");
  CHECK(t.folder.text("out/opt/kiln/bin/run") == "#!/opt/kiln/bin/python\n");
}

TEST_CASE("a file's deflate stream is copied from the wheel, not made anew") {
  const Layers t;
  const auto facts = must(t.make({demo()}));
  const auto blob = must(torchkiln::sys::read_file(t.store.path(facts.digest)));
  CHECK(blob.find(torchkiln::test::stored_deflate(std::string(100'000, 'z') + "end")) != std::string::npos);
}

TEST_CASE("the digest of a layer is the same for ever") {
  const Layers t;
  const auto facts = must(t.make({demo()}));
  CHECK(facts.digest.to_string() == k_demo_digest);
  CHECK(facts.diff_id.to_string() == k_demo_diff_id);
}

TEST_CASE("umask, time zone, locale and SOURCE_DATE_EPOCH do not change a layer") {
  const Layers t;
  CHECK(in_child([&]() -> std::string {
          ::umask(0077);
          ::setenv("TZ", "Pacific/Kiritimati", 1);
          ::setenv("SOURCE_DATE_EPOCH", "1000000000", 1);
          // Every Debian has C.UTF-8; a locale with other digits or order, where there is one.
          for (const char* locale : {"tr_TR.UTF-8", "de_DE.UTF-8", "C.UTF-8"})
            if (std::setlocale(LC_ALL, locale)) break;
          const auto facts = t.make({demo()});
          if (!facts) return facts.error().message;
          struct stat status = {};
          ::stat(t.store.path(facts->digest).c_str(), &status);
          return facts->digest.to_string() + ((status.st_mode & 07777) == 0444 ? "" : " with another mode");
        }) == k_demo_digest);
}

TEST_CASE("several wheels make one layer, whatever their order; shared files are there once") {
  WheelBuilder a, b;
  a.name = "a";
  b.name = "b";
  for (auto* one : {&a, &b}) one->files["nvidia/__init__.py"] = {""};
  a.files["nvidia/a/x"] = {"1"};
  b.files["nvidia/b/x"] = {"2"};
  const Layers t;
  const auto facts = must(t.make({a, b}));
  CHECK((facts == must(t.make({b, a}))));
  const auto listing = t.listing(facts);
  CHECK(std::count(listing.begin(), listing.end(),
                   "0 644 0 opt/kiln/lib/python3/site-packages/nvidia/__init__.py") == 1);
  CHECK(std::count(listing.begin(), listing.end(), "5 755 0 opt/kiln/lib/python3/site-packages/nvidia") == 1);
  CHECK(listing.size() == 5 + 2 + 4 * 2 + 1 + 1 + 2 + 2);
  CHECK((facts != must(t.make({a}))));
}

TEST_CASE("shared bytes that only one wheel has executable are a layer that does not depend on the order either") {
  WheelBuilder a, b;
  a.name = "a";
  b.name = "b";
  a.files["shared"] = {"x", 0100755};
  b.files["shared"] = {"x", 0100644};
  const Layers t;
  CHECK((must(t.make({a, b})) == must(t.make({b, a}))));
}

TEST_CASE("wheels that disagree about a path make no layer and leave nothing") {
  WheelBuilder a, b;
  a.name = "a";
  b.name = "b";
  a.files["x"] = {"1"};
  b.files["x"] = {"2"};
  const Layers t;
  CHECK(error_of(t.make({a, b})).code == ErrorCode::package_conflict);
  CHECK_FALSE(std::filesystem::exists(t.folder.path("blobs")));
}

TEST_CASE("two wheels with a launcher of one name make no layer") {
  WheelBuilder a, b;
  a.name = "a";
  b.name = "b";
  a.files["a-1.0.dist-info/entry_points.txt"] = {"[console_scripts]\nrun = a:main\n"};
  b.files["b-1.0.dist-info/entry_points.txt"] = {"[console_scripts]\nrun = b:main\n"};
  const Layers t;
  const auto error = error_of(t.make({a, b}));
  CHECK(error.code == ErrorCode::package_conflict);
  CHECK(error.message == "a-1.0-py3-none-any.whl and b-1.0-py3-none-any.whl both make /opt/kiln/bin/run");
}

TEST_CASE("a launcher where another wheel has a folder makes no layer") {
  WheelBuilder a, b;
  a.name = "a";
  b.name = "b";
  a.files["a-1.0.dist-info/entry_points.txt"] = {"[console_scripts]\nrun = a:main\n"};
  b.files["b-1.0.data/scripts/run/x"] = {"y"};
  const Layers t;
  CHECK(error_of(t.make({a, b})).code == ErrorCode::package_conflict);
  CHECK(error_of(t.make({b, a})).code == ErrorCode::package_conflict);
}

TEST_CASE("a damaged wheel makes no layer, is named with its file, and leaves nothing") {
  const Layers t;
  auto bytes = demo().bytes();
  bytes[bytes.find("zzzzend") + 4] = 'E';
  const auto builder = demo();
  const auto wheel = must(Wheel::open(t.folder.write("file", bytes), builder.file_name()));
  const auto error = error_of(make_wheel_layer(std::span(&wheel, 1), InstallScheme(), t.store));
  CHECK(error.message ==
        "demo-1.0-py3-none-any.whl: opt/kiln/lib/python3/site-packages/demo/large.bin: its CRC-32 is wrong");
  CHECK(must(torchkiln::sys::list_directory(t.folder.path("blobs/sha256"))).empty());
}

TEST_CASE("a layer that does not fit on the disk is disk_full and leaves nothing") {
  const Layers t;
  must(torchkiln::sys::make_directories(t.folder.path("blobs")));
  auto builder = demo();
  builder.files["demo/huge.bin"] = {std::string(2'000'000, 'h')};
  CHECK(on_small_disk(t.folder.path("blobs"), 1U << 20, [&]() -> std::string {
          const auto made = t.make({builder});
          if (made) return "it fitted";
          return std::string(name(made.error().code)) + " " +
                 std::to_string(torchkiln::sys::list_directory(t.folder.path("blobs/sha256"))->size());
        }) == "disk-full 0");
}

TEST_CASE("a known layer is made by copying alone, and only as the layer that it should be") {
  const Layers made, copied;
  const auto facts = must(made.make({demo()}));
  const auto copy = [&](const Digest& claimed) {
    const auto builder = demo();
    const auto wheel = must(Wheel::open(copied.folder.write("wheel", builder.bytes()), builder.file_name()));
    return must(copy_wheel_layer(std::span(&wheel, 1), InstallScheme(), claimed, copied.store));
  };
  CHECK_FALSE(copy(Digest::of("another layer")));
  CHECK(must(torchkiln::sys::list_directory(copied.folder.path("blobs/sha256"))).empty());
  CHECK(copy(facts.digest));
  CHECK(must(copied.store.contains_whole(facts.digest)));
  CHECK(copied.listing(facts) == made.listing(facts));
}

TEST_CASE("copying does not inflate: a damaged file gives another digest, so no layer") {
  const Layers t;
  const auto facts = must(t.make({demo()}));
  const auto builder = demo();
  auto bytes = builder.bytes();
  bytes[bytes.find("zzzzend") + 4] = 'E';
  const auto wheel = must(Wheel::open(t.folder.write("file", bytes), builder.file_name()));
  CHECK_FALSE(must(copy_wheel_layer(std::span(&wheel, 1), InstallScheme(), facts.digest, t.store)));
}

TEST_CASE("a wheel without headers and versioned scripts has one layer for every Python") {
  const InstallScheme other{"opt/kiln", "3.13"};
  const Layers t;
  CHECK((must(t.make({demo()})) == must(t.make({demo()}, other))));
  const auto pythons = [&](const WheelBuilder& builder) {
    const auto wheel = must(Wheel::open(t.folder.write("w", builder.bytes()), builder.file_name()));
    return pythons_of(std::span(&wheel, 1));
  };
  CHECK(pythons(demo()) == Pythons::every);

  auto headers = demo();
  headers.files["demo-1.0.data/headers/demo.h"] = {"int x;\n"};
  CHECK(pythons(headers) == Pythons::one);
  CHECK((must(t.make({headers})) != must(t.make({headers}, other))));

  auto data = demo();
  data.files["demo-1.0.data/data/lib/python3.13/site-packages/demo/extra.py"] = {"y = 1\n"};
  CHECK(pythons(data) == Pythons::one);
  CHECK((must(t.make({data})) != must(t.make({data}, other))));

  auto pip = demo();
  pip.name = "pip";
  pip.files.clear();
  pip.files["pip-1.0.dist-info/entry_points.txt"] = {"[console_scripts]\npip = pip:main\n"};
  CHECK(pythons(pip) == Pythons::one);
  CHECK((must(t.make({pip})) != must(t.make({pip}, other))));
}

TEST_CASE("the catalog key depends on the wheels, their scheme and the recipe, not on their order") {
  const std::vector<Digest> two = {Digest::of("a"), Digest::of("b")}, reversed = {Digest::of("b"), Digest::of("a")};
  const InstallScheme scheme;
  const auto key = wheel_layer_key(two, scheme, Pythons::one);
  CHECK(key == wheel_layer_key(reversed, scheme, Pythons::one));
  CHECK(key != wheel_layer_key(std::span(two).first(1), scheme, Pythons::one));
  CHECK(key != wheel_layer_key(two, {"opt/other", "3.11"}, Pythons::one));
  CHECK(key != wheel_layer_key(two, {"opt/kiln", "3.12"}, Pythons::one));
  CHECK(key != wheel_layer_key(two, scheme, Pythons::every));
  CHECK(wheel_layer_key(two, scheme, Pythons::every) == wheel_layer_key(two, {"opt/kiln", "3.12"}, Pythons::every));
  CHECK(key == Digest::of(std::string(k_wheel_layer_recipe) + "\nopt/kiln\n3.11\n" +
                          std::min(two[0].hex(), two[1].hex()) + "\n" + std::max(two[0].hex(), two[1].hex()))
                   .hex());
}
