#include "assembly/engine/direct.hpp"
#include "assembly/engine/image.hpp"
#include "assembly/engine/bytecode.hpp"
#include "assembly/engine/verifier.hpp"
#include "foundation/base/text.hpp"
#include "foundation/document/json.hpp"
#include "support/bootstrap.hpp"
#include "support/child.hpp"
#include "support/fault_server.hpp"
#include "support/zip_builder.hpp"
#include "unit/lock/lock_fixture.hpp"

#include <catch2/catch.hpp>
#include <sys/stat.h>

using namespace torchkiln::engine;
using torchkiln::base::Digest;
using torchkiln::base::ErrorCode;
using torchkiln::base::Result;
using torchkiln::lock::LockedWheel;
using torchkiln::lock::test::Placement;
using torchkiln::recipe::AddedFile;
using torchkiln::recipe::FileType;
using torchkiln::recipe::Recipe;
using torchkiln::spec::Part;
using torchkiln::spec::Variant;
using torchkiln::sys::BlobStore;
using torchkiln::sys::HttpClient;
using torchkiln::sys::HttpLimits;
using torchkiln::test::error_of;
using torchkiln::test::FakeBootstrap;
using torchkiln::test::FaultServer;
using torchkiln::test::in_child;
using torchkiln::test::must;
using torchkiln::test::on_small_disk;
using torchkiln::test::TestFolder;
using torchkiln::test::WheelBuilder;
using Texts = std::vector<std::string>;

namespace {

/// Remembers warnings.
struct Warnings final : torchkiln::base::Progress {
  Texts texts;
  StepId begin(std::string_view, std::string_view) override { return 0; }
  void update(StepId, std::uint64_t, std::uint64_t) override {}
  void output(StepId, std::string_view) override {}
  void end(StepId, std::string_view) override {}
  void abandon(StepId) override {}
  void warn(std::string_view text) override { texts.emplace_back(text); }
};

/// A small image: a torch that is large enough for a layer of its own, two small wheels, two Debian packages.
struct Kiln {
  TestFolder folder;
  FaultServer server;
  FakeBootstrap mmdebstrap;
  torchkiln::lock::Lock lock = torchkiln::lock::test::a_lock();
  Cache cache{folder.path("cache"), "/proc/self/exe"};
  Warnings progress;
  std::map<std::string, std::string> served;
  IsAtTarget is_at_target;

  Kiln() {
    must(cache.prepare());
    lock.wheels.clear();
    lock.debs.clear();
    add(wheel("alpha", {{"alpha/__init__.py", {"a = 1\n"}}}));
    add(wheel("pip", {{"pip/__init__.py", {""}}}));
    add(wheel("torch", {{"torch/lib/libtorch.so", {std::string(9U << 20, 't'), 0100755}}}));
    add_deb("dash", Placement::base);
    add_deb("g++", Placement::build_root);
  }
  static WheelBuilder wheel(const std::string& name,
                            const std::map<std::string, torchkiln::test::WheelFile>& files) {
    WheelBuilder builder;
    builder.name = name;
    builder.files = files;
    return builder;
  }
  void serve(const std::string& name, const std::string& bytes) {
    served[name] = bytes;
    server.serve(name, bytes);
  }
  void add(const WheelBuilder& builder) {
    auto locked = torchkiln::lock::test::a_wheel(builder.name, builder.version);
    const auto bytes = builder.bytes();
    serve(builder.file_name(), bytes);
    locked.url = server.url(builder.file_name());
    locked.digest = Digest::of(bytes);
    locked.size_bytes = bytes.size();
    locked.uploaded_s = 1'754'491'980;
    lock.wheels.push_back(locked);
  }
  void add_deb(const std::string& name, Placement placement) {
    auto deb = torchkiln::lock::test::a_deb(name, "1", placement);
    const auto bytes = torchkiln::test::make_deb(folder, name, "1");
    serve(name + ".deb", bytes);
    deb.url = server.url(name + ".deb");
    deb.digest = Digest::of(bytes);
    deb.size_bytes = bytes.size();
    lock.debs.push_back(deb);
  }
  Recipe recipe(Variant variant = {}) const { return torchkiln::recipe::make_recipe(lock, variant); }
  Result<ImageLayers> make(BuildRoot build_root = BuildRoot::not_wanted) {
    auto made = make({Variant()}, build_root);
    if (!made) return torchkiln::base::fail(made.error());
    return made->front();
  }
  Result<std::vector<ImageLayers>> make(const std::vector<Variant>& variants, BuildRoot build_root) {
    HttpLimits limits;
    limits.attempts = 2;
    limits.backoff_s = 0.02;
    HttpClient http(limits);
    std::vector<Recipe> recipes;
    for (const auto variant : variants) recipes.push_back(recipe(variant));
    return make_layers({.lock = lock, .recipes = recipes, .build_root = build_root, .is_at_target = is_at_target},
                       cache, http, progress);
  }
  std::size_t requests() const { return server.requests().size(); }
};

}  // namespace

TEST_CASE("the parts of an image are downloaded, bootstrapped and converted, and the second time they are there") {
  Kiln t;
  const auto parts = must(t.make());
  REQUIRE(parts.wheels.size() == 2);
  CHECK(parts.wheels[0].made_by == "torchkiln wheels torch==1.0");
  CHECK(parts.wheels[1].made_by == "torchkiln wheels alpha==1.0 pip==1.0");
  CHECK(parts.system.time_s == torchkiln::test::k_built_s);
  CHECK_FALSE(parts.build_root);
  for (const auto& layer : parts.wheels) CHECK(must(t.cache.blobs().contains_whole(layer.facts.digest)));
  CHECK(t.requests() == 4);  // the package of the build root was not wanted
  // A large wheel's bytes are in its layer: the file itself is not kept.
  CHECK_FALSE(t.cache.blobs().contains(t.lock.wheels[2].digest));
  CHECK(t.cache.blobs().contains(t.lock.wheels[0].digest));

  const auto again = must(t.make());
  CHECK((again.wheels[0].facts == parts.wheels[0].facts));
  CHECK((again.system.layer == parts.system.layer));
  CHECK(t.requests() == 4);
  CHECK(t.mmdebstrap.calls().size() == 1);
  CHECK(t.progress.texts.empty());
}

TEST_CASE("the build root is a second base with its own packages") {
  Kiln t;
  const auto parts = must(t.make(BuildRoot::wanted));
  REQUIRE(parts.build_root);
  CHECK(t.mmdebstrap.calls().size() == 2);
  const auto include = [&](std::size_t call) {
    const auto calls = t.mmdebstrap.calls();
    for (const auto& argument : calls[call])
      if (argument.starts_with("--include=")) return argument;
    return std::string();
  };
  CHECK(std::set<std::string>{include(0), include(1)} ==
        std::set<std::string>{"--include=dash", "--include=dash,g++"});
}

TEST_CASE("another machine makes the same parts from the same lock, with another umask and time zone") {
  Kiln a, b;
  const auto here = must(a.make());
  b.lock = a.lock;
  for (const auto& [name, bytes] : a.served) b.serve(name, bytes);
  const auto there = in_child([&]() -> std::string {
    ::umask(0077);
    ::setenv("TZ", "Asia/Kolkata", 1);
    ::setenv("SOURCE_DATE_EPOCH", "1", 1);
    const auto made = b.make();
    if (!made) return made.error().message;
    return made->wheels[0].facts.digest.hex() + made->wheels[1].facts.digest.hex() +
           made->system.layer.digest.hex();
  });
  CHECK(there ==
        here.wheels[0].facts.digest.hex() + here.wheels[1].facts.digest.hex() + here.system.layer.digest.hex());
}

TEST_CASE("a layer whose blob is gone or cut is made again") {
  Kiln t;
  const auto parts = must(t.make());
  const auto& small = parts.wheels[1].facts;
  must(t.cache.blobs().remove(small.digest));
  CHECK((must(t.make()).wheels[1].facts == small));
  CHECK(t.requests() == 4);  // the small wheels are still in the cache
  must(torchkiln::sys::write_file(t.cache.blobs().path(small.digest), "cut", 0444));
  CHECK((must(t.make()).wheels[1].facts == small));
  CHECK(must(t.cache.blobs().contains_whole(small.digest)));
}

TEST_CASE("a cached wheel or package whose bytes changed is noticed, and fetched again") {
  Kiln t;
  const auto parts = must(t.make());
  for (const auto& [digest, name] : {std::pair(t.lock.wheels[0].digest, "alpha-1.0-py3-none-any.whl"),
                                     std::pair(t.lock.debs[0].digest, "dash.deb")}) {
    auto bytes = must(torchkiln::sys::read_file(t.cache.blobs().path(digest)));
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
    must(torchkiln::sys::write_file(t.cache.blobs().path(digest), bytes, 0444));
    must(t.cache.blobs().remove(parts.wheels[1].facts.digest));
    must(t.cache.blobs().remove(parts.system.layer.digest));
    t.progress.texts.clear();
    const auto again = must(t.make());
    CHECK((again.wheels[1].facts == parts.wheels[1].facts));
    CHECK((again.system.layer == parts.system.layer));
    CHECK(t.progress.texts ==
          Texts{"the cached copy of " + t.server.url(name) + " was damaged; fetching it again"});
  }
}

TEST_CASE("a file that is not what the lock says stops the build, leaves nothing, and the next run succeeds") {
  Kiln t;
  const auto good = t.served["alpha-1.0-py3-none-any.whl"];
  auto bad = good;
  bad[bad.size() / 2] = static_cast<char>(bad[bad.size() / 2] ^ 1);
  t.server.serve("alpha-1.0-py3-none-any.whl", bad);
  const auto error = error_of(t.make());
  CHECK(error.code == ErrorCode::integrity_failed);
  CHECK_FALSE(t.cache.blobs().contains(t.lock.wheels[0].digest));
  t.server.serve("alpha-1.0-py3-none-any.whl", good);
  must(t.make());
}

TEST_CASE("a bootstrap that fails stops the build with what it said, and the next run succeeds") {
  Kiln t;
  {
    const torchkiln::test::FakeTool broken("mmdebstrap", "echo 'E: no' >&2; exit 1");
    const auto error = error_of(t.make());
    CHECK(error.code == ErrorCode::tool_failed);
    CHECK(error.notes == Texts{"E: no"});
  }
  must(t.make());
}

TEST_CASE("a wheel that is no wheel stops the build by its name") {
  Kiln t;
  auto& locked = t.lock.wheels[0];
  t.serve("alpha-1.0-py3-none-any.whl", "not a wheel");
  locked.digest = Digest::of("not a wheel");
  locked.size_bytes = 11;
  const auto error = error_of(t.make());
  CHECK(error.code == ErrorCode::input_invalid);
  CHECK_THAT(error.message, Catch::Matchers::StartsWith("alpha-1.0-py3-none-any.whl is not a zip file"));
}

TEST_CASE("a cache without room for what is needed says so before anything is downloaded") {
  Kiln t;
  CHECK(on_small_disk(t.folder.path("cache"), 1U << 20,
                      [&]() -> std::string {
                        const auto made = t.make();
                        if (made) return "made";
                        return std::string(name(made.error().code)) + " | " + made.error().message;
                      }) ==
        "disk-full | " + t.folder.path("cache").string() + " has 1.0 MB free, and this image needs 18.9 MB there");
  CHECK(t.requests() == 0);
}

TEST_CASE("a disk that fills up on the way is disk_full, and nothing half-made is registered") {
  Kiln t;
  // An index that does not state sizes: the download fits, its layer does not.
  t.lock.wheels[2].size_bytes = 0;
  CHECK(on_small_disk(t.folder.path("cache"), 15'000'000, [&]() -> std::string {
          if (!t.cache.prepare()) return "no cache";
          const auto made = t.make();
          if (made) return "made";
          std::string text(name(made.error().code));
          const auto names = must(torchkiln::sys::list_directory(t.folder.path("cache/blobs/sha256")));
          for (const auto& one : names)
            if (one.starts_with(".new")) text += " and a leftover";
          // The small wheels' layer may have been whole by then.
          const auto layers = torchkiln::sys::list_directory(t.folder.path("cache/layers"));
          for (const auto& one : layers.value_or(Texts())) {
            const auto bytes = must(torchkiln::sys::read_file(t.folder.path("cache/layers") / one));
            const auto entry = torchkiln::document::Json::parse(bytes);
            const auto digest = must(Digest::parse(entry["digest"].get<std::string>()));
            const auto blob = torchkiln::sys::size_of_file(t.folder.path("cache/blobs/sha256") / digest.hex());
            if (blob != entry["size"].get<std::uint64_t>()) text += " and an entry of a layer that is not whole";
          }
          return text;
        }) == "disk-full");
}

TEST_CASE("one wheel is fetched when it is not there, or not whole") {
  Kiln t;
  HttpClient http;
  const auto& locked = t.lock.wheels[0];
  const auto path = must(fetch_wheel(locked, t.cache, http));
  CHECK(must(torchkiln::sys::read_file(path)) == t.served[locked.file_name]);
  must(fetch_wheel(locked, t.cache, http));
  CHECK(t.requests() == 1);
  must(torchkiln::sys::write_file(path, "damaged", 0444));
  must(fetch_wheel(locked, t.cache, http));
  CHECK(must(torchkiln::sys::read_file(path)) == t.served[locked.file_name]);
}

TEST_CASE("a layer that the catalog knows is copied from its wheel, and its digest is the proof") {
  Kiln made, t;
  const auto known = must(made.make());
  t.lock = made.lock;
  for (const auto& [name, bytes] : made.served) t.serve(name, bytes);
  for (const auto& [key, entry] : must(made.cache.catalog().own_entries())) must(t.cache.catalog().add(key, entry));
  const auto copied = must(t.make());
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK((copied.wheels[i].facts == known.wheels[i].facts));
    CHECK(must(t.cache.blobs().contains_whole(copied.wheels[i].facts.digest)));
  }
  CHECK(t.progress.texts.empty());
}

TEST_CASE("what the catalog says wrong of a layer is told, made anew and put right") {
  Kiln made, t;
  const auto good = must(made.make());
  t.lock = made.lock;
  for (const auto& [name, bytes] : made.served) t.serve(name, bytes);
  for (auto [key, entry] : must(made.cache.catalog().own_entries())) {
    if (entry.origin.wheels.size() == 1) entry.facts.digest = Digest::of("something else");
    must(t.cache.catalog().add(key, entry));
  }
  const auto layers = must(t.make());
  CHECK((layers.wheels[0].facts == good.wheels[0].facts));
  CHECK(t.progress.texts ==
        Texts{"what is said about the layer of torchkiln wheels torch==1.0 is wrong: it was made anew"});
  t.progress.texts.clear();
  must(t.cache.blobs().remove(good.wheels[0].facts.digest));
  must(t.make());
  CHECK(t.progress.texts.empty());
}

TEST_CASE("the layers that a lock notes are known on another machine") {
  Kiln made, t;
  const auto parts = must(made.make());
  record_layers(made.lock, made.recipe(), parts);
  t.lock = made.lock;
  for (const auto& [name, bytes] : made.served) t.serve(name, bytes);
  const auto plan = must(plan_layers({.lock = t.lock, .recipes = std::vector{t.recipe()}},
                                     torchkiln::layer::LayerFormat::gzip, t.cache));
  REQUIRE(plan.images.size() == 1);
  REQUIRE(plan.images[0].size() == 3);
  CHECK_FALSE(plan.images[0][0].facts);
  CHECK((plan.images[0][1].facts == parts.wheels[0].facts));
  CHECK((plan.images[0][2].facts == parts.wheels[1].facts));
  CHECK(plan.downloads == 4);
  CHECK(t.requests() == 0);
  CHECK((must(t.make()).wheels[0].facts == parts.wheels[0].facts));
}

TEST_CASE("of layers that are known and where the image goes nothing is downloaded and nothing made") {
  Kiln made, t;
  const auto known = must(made.make(BuildRoot::wanted));
  t.lock = made.lock;
  for (const auto& [key, entry] : must(made.cache.catalog().own_entries())) must(t.cache.catalog().add(key, entry));
  std::set<Digest> there = {known.system.layer.digest, known.wheels[0].facts.digest, known.wheels[1].facts.digest};
  t.is_at_target = [&there](const torchkiln::oci::Descriptor& blob) -> Result<bool> {
    return there.count(blob.digest) > 0;
  };
  const auto bootstraps = t.mmdebstrap.calls().size();
  const auto layers = must(t.make());
  CHECK((layers.wheels[0].facts == known.wheels[0].facts));
  CHECK((layers.system.layer == known.system.layer));
  CHECK(layers.account_files(0) == known.account_files(0));
  CHECK(t.requests() == 0);
  CHECK(t.mmdebstrap.calls().size() == bootstraps);
  const auto plan =
      must(plan_layers({.lock = t.lock, .recipes = std::vector{t.recipe()}, .is_at_target = t.is_at_target},
                       torchkiln::layer::LayerFormat::gzip, t.cache));
  for (const auto& layer : plan.images[0]) CHECK(layer.presence == Presence::at_target);
  CHECK(plan.downloads == 0);

  // An image of them lacks their blobs, but for the configuration.
  const auto layout = must(torchkiln::oci::Layout::create(t.folder.path("layout")));
  const auto image = must(
      put_image(t.lock, t.recipe(), layers, {}, torchkiln::layer::LayerFormat::gzip, t.cache, layout, t.progress));
  const auto manifest = must(layout.read_manifest(image.descriptor));
  REQUIRE(manifest.layers.size() == 4);
  for (std::size_t i = 0; i < 3; ++i) CHECK_FALSE(layout.contains(manifest.layers[i].digest));
  CHECK(layout.contains(manifest.layers[3].digest));
  must(layout.prune());
  CHECK(must(layout.images()).size() == 1);
}

TEST_CASE("what the verifier is compiled against is needed here, wherever it is, until the verifier is known") {
  Kiln made, t;
  const auto known = must(made.make(BuildRoot::wanted));
  t.lock = made.lock;
  for (const auto& [name, bytes] : made.served) t.serve(name, bytes);
  for (const auto& [key, entry] : must(made.cache.catalog().own_entries())) must(t.cache.catalog().add(key, entry));
  const auto recipes = std::vector{t.recipe()};
  const auto source = Digest::of("the verifier's sources");
  const LayersRequest request{
      .lock = t.lock,
      .recipes = recipes,
      .build_root = BuildRoot::wanted,
      .verifier_source = source,
      .is_at_target = [](const torchkiln::oci::Descriptor&) -> Result<bool> { return true; }};
  HttpClient http;
  const std::vector<Digest> diff_ids = {known.wheels[0].facts.diff_id, known.wheels[1].facts.diff_id};
  const torchkiln::layer::LayerFacts verifier = {Digest::of("v"), 1, Digest::of("w"), 2};
  must(t.cache.catalog().add(verifier_key(source, known.build_root->layer.diff_id, recipes[0], diff_ids),
                             {verifier}));
  const auto nothing_made = must(make_layers(request, t.cache, http, t.progress));
  REQUIRE(nothing_made[0].verifier);
  CHECK((nothing_made[0].verifier->facts == verifier));
  CHECK(t.requests() == 0);

  auto other = request;
  other.verifier_source = Digest::of("other sources");
  const auto made_here = must(make_layers(other, t.cache, http, t.progress));
  CHECK_FALSE(made_here[0].verifier);
  CHECK(t.cache.blobs().contains(known.wheels[0].facts.digest));
  CHECK(t.cache.blobs().contains(known.build_root->layer.digest));
}

TEST_CASE("what Python's bytecode is made of is needed here, all of it, until the bytecode is known") {
  Kiln made, t;
  const auto known = must(made.make());
  t.lock = made.lock;
  for (const auto& [name, bytes] : made.served) t.serve(name, bytes);
  for (const auto& [key, entry] : must(made.cache.catalog().own_entries())) must(t.cache.catalog().add(key, entry));
  const auto recipes = std::vector{t.recipe()};
  const LayersRequest request{
      .lock = t.lock,
      .recipes = recipes,
      .bytecode_compiler = Digest::of("the compiler"),
      .is_at_target = [](const torchkiln::oci::Descriptor&) -> Result<bool> { return true; }};
  HttpClient http;
  const std::vector<Digest> diff_ids = {known.wheels[0].facts.diff_id, known.wheels[1].facts.diff_id};
  const torchkiln::layer::LayerFacts bytecode = {Digest::of("b"), 1, Digest::of("c"), 2};
  must(t.cache.catalog().add(bytecode_key(*request.bytecode_compiler, known.system.layer.diff_id, diff_ids),
                             {bytecode}));
  const auto nothing_made = must(make_layers(request, t.cache, http, t.progress));
  REQUIRE(nothing_made[0].bytecode);
  CHECK((nothing_made[0].bytecode->facts == bytecode));
  CHECK(t.requests() == 0);
  record_layers(t.lock, recipes[0], nothing_made[0]);
  CHECK(t.lock.bytecode->diff_id == bytecode.diff_id);
  const auto ordered = nothing_made[0].in_order(recipes[0], "debian-12");
  CHECK(ordered.back().made_by == k_bytecode_made_by);

  auto other = request;
  other.bytecode_compiler = Digest::of("another compiler");
  const auto made_here = must(make_layers(other, t.cache, http, t.progress));
  CHECK_FALSE(made_here[0].bytecode);
  for (const auto& layer : made_here[0].below_parts("debian-12")) CHECK(t.cache.blobs().contains(layer.facts.digest));
}

TEST_CASE("an image in another format has the same ID, and is converted once") {
  using torchkiln::layer::LayerFormat;
  Kiln t;
  const auto parts = must(t.make());
  const auto layout = must(torchkiln::oci::Layout::create(t.folder.path("layout")));
  const auto put = [&](LayerFormat format) {
    const auto image = must(put_image(t.lock, t.recipe(), parts, {}, format, t.cache, layout, t.progress));
    CHECK(must(layout.check(image, torchkiln::oci::CheckDepth::every_byte, [](std::uint64_t) {})).empty());
    return must(layout.read_manifest(image.descriptor));
  };
  const auto gzip = put(LayerFormat::gzip);
  for (const auto format : {LayerFormat::gzip_single_member, LayerFormat::zstd, LayerFormat::raw}) {
    const auto other = put(format);
    CHECK(other.config == gzip.config);
    CHECK(other.layers.front().media_type == media_type(format));
    CHECK(other.layers[1].digest != gzip.layers[1].digest);  // the base has one member
    CHECK((put(format) == other));
  }
  const auto estargz = put(LayerFormat::estargz);
  CHECK(estargz.config != gzip.config);
  CHECK(estargz.layers.front().annotations.count("containerd.io/snapshot/stargz/toc.digest") == 1);
  CHECK((put(LayerFormat::estargz) == estargz));
}

TEST_CASE("the lock notes which layer holds each wheel") {
  Kiln t;
  const auto parts = must(t.make());
  record_layers(t.lock, t.recipe(), parts);
  CHECK(t.lock.wheels[2].layer->digest == parts.wheels[0].facts.digest);
  CHECK(t.lock.wheels[0].layer == t.lock.wheels[1].layer);
  CHECK(t.lock.wheels[0].layer->diff_id == parts.wheels[1].facts.diff_id);
  CHECK(t.lock.wheels[0].layer->size_bytes == parts.wheels[1].facts.size_bytes);
}

TEST_CASE("an image is put together in order, is whole, and putting it together again changes nothing") {
  Kiln t;
  auto parts = must(t.make());
  const auto extra = ReadyLayer{must(make_file_layer({{"opt", FileType::directory, 0755, 0, 0, ""},
                                                      {"opt/x", FileType::file, 0644, 0, 0, "x"}},
                                                     0, t.cache.blobs())),
                                "the verifier"};
  parts.verifier = extra;
  const auto layout = must(torchkiln::oci::Layout::create(t.folder.path("layout")));
  const auto image = must(
      put_image(t.lock, t.recipe(), parts, {}, torchkiln::layer::LayerFormat::gzip, t.cache, layout, t.progress));
  CHECK(image.name == "team/pytorch:2.8.0-cu128-cudnn9-py311-runtime");
  CHECK(must(layout.check(image, torchkiln::oci::CheckDepth::every_byte, [](std::uint64_t) {})).empty());
  const auto manifest = must(layout.read_manifest(image.descriptor));
  const auto config = must(layout.read_config(manifest));
  REQUIRE(manifest.layers.size() == 5);
  CHECK(manifest.layers[0].digest == parts.system.layer.digest);
  CHECK(manifest.layers[1].digest == parts.wheels[0].facts.digest);
  CHECK(manifest.layers[2].digest == parts.wheels[1].facts.digest);
  CHECK(manifest.layers[3].digest == extra.facts.digest);
  CHECK(config.diff_ids[3] == extra.facts.diff_id);
  CHECK(config.created == "2025-08-06T14:53:00Z");
  CHECK(config.architecture == "amd64");
  CHECK(config.execution.user == "1000:1000");
  CHECK(config.execution.entrypoint == Texts{"/usr/bin/tini", "-g", "--", "/usr/local/bin/kiln-entry"});
  CHECK(config.execution.stop_signal == "SIGTERM");
  CHECK(config.execution.healthcheck->test == Texts{"CMD", "kiln-health"});
  CHECK(config.execution.command == Texts{"python"});
  CHECK(config.execution.working_directory == "/workspace");
  CHECK(config.execution.environment.front() ==
        "PATH=/opt/kiln/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  CHECK(config.execution.labels.at("dev.torchkiln.lock") == identity(t.lock).to_string());
  const auto again = must(
      put_image(t.lock, t.recipe(), parts, {}, torchkiln::layer::LayerFormat::gzip, t.cache, layout, t.progress));
  CHECK(again.descriptor.digest == image.descriptor.digest);
}

TEST_CASE("a layer of files depends on the files alone") {
  const TestFolder folder;
  const BlobStore store(folder.path("blobs"));
  const std::vector<AddedFile> files = {{"a", FileType::directory, 0755, 0, 0, ""},
                                        {"a/link", FileType::symlink, 0777, 0, 0, "target"},
                                        {"a/file", FileType::file, 0640, 1, 42, "content"},
                                        {"a-b", FileType::directory, 0700, 1000, 1001, ""}};
  const auto facts = must(make_file_layer(files, 1'000'000'000, store));
  auto reversed = files;
  std::reverse(reversed.begin(), reversed.end());
  CHECK((must(make_file_layer(reversed, 1'000'000'000, store)) == facts));
  CHECK((must(make_file_layer(files, 1'000'000'001, store)) != facts));
  // Not to be re-recorded: configuration layers are shared by it.
  CHECK(facts.digest.hex() == "ff0a071e025fdd342c7701a3da531e414c16bf1e7886f9107c0d171088736455");
  torchkiln::sys::Command tar;
  tar.arguments = {"tar", "--utc", "-tvzf", store.path(facts.digest).string()};
  CHECK(must(torchkiln::sys::run_checked(tar)).output ==
        "drwxr-xr-x 0/0               0 2001-09-09 01:46 a/\n"
        "drwx------ 1000/1001         0 2001-09-09 01:46 a-b/\n"
        "-rw-r----- 1/42              7 2001-09-09 01:46 a/file\n"
        "lrwxrwxrwx 0/0               0 2001-09-09 01:46 a/link -> target\n");
}

TEST_CASE("a layer of files that names a path twice, or a file before its folder, is our own mistake") {
  const TestFolder folder;
  const BlobStore store(folder.path("blobs"));
  for (const auto& files :
       {std::vector<AddedFile>{{"a", FileType::file, 0644, 0, 0, "1"}, {"a", FileType::file, 0644, 0, 0, "2"}},
        std::vector<AddedFile>{{"a/b", FileType::file, 0644, 0, 0, "1"}}})
    CHECK(in_child([&]() -> std::string {
            ::close(2);
            (void)make_file_layer(files, 0, store);
            return "made";
          }) == " (ended with status 70)");
}

TEST_CASE("the configuration layer is the same for the same lock, whatever was built before") {
  Kiln t;
  ImageLayers layers;
  layers.system.files = torchkiln::test::k_accounts;
  const auto one = must(make_configuration_layer(t.lock, t.recipe(), layers, {}, t.cache));
  CHECK(one.made_by == "torchkiln configuration runtime");
  const auto two = must(make_configuration_layer(t.lock, t.recipe(), layers, {}, t.cache));
  CHECK((one.facts == two.facts));
  auto other = t.lock;
  other.user.uid = 1001;
  CHECK((must(make_configuration_layer(other, t.recipe(), layers, {}, t.cache)).facts != one.facts));
}

TEST_CASE("the verifier's sources have one digest: names, contents and nothing else count") {
  const TestFolder folder;
  folder.write("v/CMakeLists.txt", "a");
  folder.write("v/src/x.cpp", "b");
  const auto digest = must(verifier_source_digest(folder.path("v")));
  ::chmod(folder.path("v/src/x.cpp").c_str(), 0600);
  CHECK(must(verifier_source_digest(folder.path("v"))) == digest);
  folder.write("v/src/x.cpp", "c");
  CHECK(must(verifier_source_digest(folder.path("v"))) != digest);
  folder.write("v/src/x.cpp", "b");
  CHECK(must(verifier_source_digest(folder.path("v"))) == digest);
  std::filesystem::rename(folder.path("v/src/x.cpp"), folder.path("v/src/y.cpp"));
  CHECK(must(verifier_source_digest(folder.path("v"))) != digest);
  CHECK(error_of(verifier_source_digest(folder.path("none"))).code == ErrorCode::file_failed);
}

TEST_CASE("the packages that compiling needs are listed a line each, with comments") {
  const TestFolder folder;
  folder.write("build-packages.txt", "# comment\n\n  g++ # the compiler\ncmake\n");
  CHECK(must(verifier_build_packages(folder.path())) == Texts{"g++", "cmake"});
  CHECK_FALSE(must(verifier_build_packages(TK_SOURCE_DIR "/images/verifier")).empty());
  CHECK(error_of(verifier_build_packages(folder.path("none"))).code == ErrorCode::file_failed);
}

TEST_CASE("a family is made at once: what its images share is made once, and a part's packages are a delta") {
  Kiln t;
  t.add(Kiln::wheel("lab", {{"lab/__init__.py", {"l = 1\n"}}}));
  t.lock.wheels.back().parts = {Part::jupyter};
  t.add_deb("openssh-server", Placement::base);
  t.lock.debs.back().parts = {Part::ssh};
  const auto family = must(t.make({{}, {Part::jupyter}, {Part::jupyter, Part::ssh}}, BuildRoot::not_wanted));
  REQUIRE(family.size() == 3);
  CHECK(t.mmdebstrap.calls().size() == 2);
  CHECK((family[2].wheels[0].facts == family[0].wheels[0].facts));
  REQUIRE(family[2].parts.size() == 2);
  CHECK_FALSE(family[2].parts[0].packages);
  CHECK(family[2].parts[0].wheels[0].made_by == "torchkiln wheels lab==1.0");
  CHECK((family[2].parts[0].wheels[0].facts == family[1].parts[0].wheels[0].facts));
  REQUIRE(family[2].parts[1].packages);
  Texts made_by;
  for (const auto& layer : family[2].in_order(t.recipe({Part::jupyter, Part::ssh}), "debian-12"))
    made_by.push_back(layer.made_by);
  CHECK(made_by == Texts{"torchkiln system debian-12", "torchkiln wheels torch==1.0",
                         "torchkiln wheels alpha==1.0 pip==1.0", "torchkiln wheels lab==1.0",
                         "torchkiln packages ssh"});
  // The second time the delta is in the cache, and what it was made of need not be.
  const auto requests = t.requests();
  must(t.make({{Part::jupyter, Part::ssh}}, BuildRoot::not_wanted));
  CHECK(t.requests() == requests);
  CHECK(t.mmdebstrap.calls().size() == 2);
}

TEST_CASE("an image on top of another has every layer of it, and new ones above") {
  Kiln t;
  const auto images = t.folder.path("images");
  must(torchkiln::sys::make_directories(images / "base/root/etc"));
  must(torchkiln::sys::write_file(images / "base/root/etc/motd", "hello\n"));
  const auto below = std::make_shared<torchkiln::lock::Lock>(t.lock);
  const auto digests_of = [&](ImageLayers layers) {
    const auto variant = t.recipe().variant;
    must(add_configuration_layers_below(t.lock, variant, std::nullopt, images, t.cache, layers));
    const auto own = must(torchkiln::recipe::own_files(images, t.lock, t.recipe()));
    auto ready = layers.in_order(t.recipe(), "debian-12");
    ready.push_back(must(make_configuration_layer(t.lock, t.recipe(), layers, own, t.cache)));
    std::vector<Digest> digests;
    for (const auto& layer : ready) digests.push_back(layer.facts.digest);
    return digests;
  };
  const auto digests_below = digests_of(must(t.make()));

  t.add(Kiln::wheel("zarr", {{"zarr/__init__.py", {"z = 1\n"}}}));
  t.add_deb("zsh", Placement::base);
  t.lock.extends = identity(*below);
  t.lock.below = below;
  const auto digests = digests_of(must(t.make()));
  REQUIRE(digests.size() == digests_below.size() + 3);  // packages, wheels, configuration
  CHECK(std::equal(digests_below.begin(), digests_below.end(), digests.begin()));

  SECTION("but for the configuration where the user is another") {
    t.lock.user.name = "ada";
    const auto others = digests_of(must(t.make()));
    CHECK(others.size() == digests.size() - 1);
    CHECK(std::equal(digests_below.begin(), digests_below.end() - 1, others.begin()));
  }
}
