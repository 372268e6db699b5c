#include "plan/lock/below.hpp"

#include "plan/lock/make_lock.hpp"
#include "unit/lock/lock_fixture.hpp"

#include <catch2/catch.hpp>

using namespace torchkiln::lock;
using torchkiln::base::Digest;
using torchkiln::base::ErrorCode;
using torchkiln::lock::test::a_deb;
using torchkiln::lock::test::a_lock;
using torchkiln::lock::test::a_wheel;
using torchkiln::spec::Part;
using torchkiln::spec::Spec;
using torchkiln::spec::Variant;
using torchkiln::test::error_of;
using torchkiln::test::must;
using Texts = std::vector<std::string>;

namespace {

Below a_below(Lock lock = a_lock()) {
  return {std::make_shared<const Lock>(std::move(lock)), "base/kiln.lock"};
}

Spec a_spec(const std::string& require) {
  return must(torchkiln::spec::parse("schema = 'torchkiln.spec/1'\n[require]\n" + require, "kiln.toml"));
}

Texts names(const std::vector<LockedWheel>& wheels) {
  Texts list;
  for (const auto& wheel : wheels) list.push_back(wheel.name + " " + wheel.version);
  return list;
}

struct Warnings final : torchkiln::base::Progress {
  Texts texts;
  StepId begin(std::string_view, std::string_view) override { return 0; }
  void update(StepId, std::uint64_t, std::uint64_t) override {}
  void output(StepId, std::string_view) override {}
  void end(StepId, std::string_view) override {}
  void abandon(StepId) override {}
  void warn(std::string_view text) override { texts.emplace_back(text); }
};

}  // namespace

TEST_CASE("the lock below decides PyTorch's build, Python, system and architecture, and leaves the rest open") {
  const auto decided = must(decided_by(a_below(), a_spec("pytorch = '2.8'\ndriver = '535.104.05'\n").require));
  CHECK(decided.pytorch->value.to_string() == "==2.8.0+cu128");
  CHECK(decided.pytorch->place.file == "base/kiln.lock");
  CHECK(decided.python->value.text() == "==3.11");
  CHECK(decided.os->value == "debian-12");
  CHECK(decided.architecture->value == "x86_64");
  CHECK(decided.driver->value.to_string() == "535.104.05");
  CHECK_FALSE(decided.cuda);
}

TEST_CASE("a wish that the lock below does not fulfil is refused at its place") {
  const auto refused = [](const std::string& line) {
    const auto error = error_of(decided_by(a_below(), a_spec(line).require));
    CHECK(error.code == ErrorCode::spec_invalid);
    return error.where->to_string() + ": " + error.message;
  };
  CHECK(refused("pytorch = '2.7'\n") ==
        "kiln.toml:3:11: the spec below is locked to PyTorch 2.8.0+cu128 (base/kiln.lock)");
  CHECK(refused("python = '3.12'\n") == "kiln.toml:3:10: the spec below is locked to Python 3.11 (base/kiln.lock)");
  CHECK(refused("os = 'debian-13'\n") ==
        "kiln.toml:3:6: the spec below is locked to the system debian-12 (base/kiln.lock)");
}

TEST_CASE("what is pinned below stays as it is, and what is new is added") {
  const auto below = a_below();
  auto other_numpy = a_wheel("numpy", "2.3.1");
  other_numpy.digest = Digest::of("another index's build");
  std::vector<LockedWheel> pins = {other_numpy, a_wheel("timm", "1.0"), a_wheel("torch", "2.8.0")};
  keep_below(below, {}, pins);
  CHECK(names(pins) == Texts{"numpy 2.3.1", "pip 25.2", "timm 1.0", "torch 2.8.0"});
  CHECK(pins[0].digest == below.lock->wheels[0].digest);
  CHECK(pins[3].layer == below.lock->wheels[2].layer);
}

TEST_CASE("what only a part below needs comes along where the part does, and into the base where it is asked for") {
  auto lock = a_lock();
  lock.wheels[0].parts = {Part::jupyter};
  const auto below = a_below(lock);
  std::vector<LockedWheel> pins = {a_wheel("pip", "25.2"), a_wheel("torch", "2.8.0")};
  keep_below(below, {}, pins);
  CHECK(names(pins) == Texts{"pip 25.2", "torch 2.8.0"});
  keep_below(below, {Part::jupyter}, pins);
  CHECK(pins[0].name == "numpy");
  CHECK((pins[0].parts == Variant{Part::jupyter}));
  pins[0].parts = {};
  keep_below(below, {Part::jupyter}, pins);
  CHECK(pins[0].parts.is_runtime());
}

TEST_CASE("Debian packages keep the version of the lock below, with a word when the mirror has moved on") {
  std::vector<LockedDeb> debs = {a_deb("ffmpeg", "5.1"), a_deb("tini", "0.20")};
  Warnings progress;
  keep_below(a_below(), {}, debs, progress);
  REQUIRE(debs.size() == 2);
  CHECK(debs[1].version == "0.19.0-1+b3");
  REQUIRE(progress.texts.size() == 1);
  CHECK_THAT(progress.texts[0],
             Catch::Matchers::StartsWith("the Debian mirror has other versions of 1 packages than "
                                         "base/kiln.lock, which are kept"));
}

TEST_CASE("a lock on top of another is current as long as that one is the same") {
  const auto below = a_below();
  const auto spec = a_spec("");
  auto lock = a_lock();
  lock.spec_digest = digest_of(spec);
  CHECK_FALSE(is_current(lock, spec, below));
  lock.extends = identity(*below.lock);
  CHECK(is_current(lock, spec, below));
  CHECK_FALSE(is_current(lock, spec));
  auto changed = a_lock();
  changed.wheels[0].digest = Digest::of("a newer numpy");
  CHECK_FALSE(is_current(lock, spec, a_below(changed)));
  // What a build notes in the lock below is no change.
  auto built = a_lock();
  built.wheels[0].layer = LockedLayer{Digest::of("layer"), Digest::of("diff"), 1};
  CHECK(is_current(lock, spec, a_below(built)));
  lock.wheels.erase(lock.wheels.begin());
  CHECK_FALSE(is_current(lock, spec, below));
}

TEST_CASE("a lock says what it stands on, and so does its identity") {
  auto lock = a_lock();
  const auto alone = identity(lock);
  lock.extends = Digest::of("below");
  CHECK(identity(lock) != alone);
  const auto read = must(parse(to_toml(lock), "kiln.lock"));
  CHECK(read.extends == lock.extends);
  CHECK(to_toml(read) == to_toml(lock));
  CHECK(to_toml(a_lock()).find("extends") == std::string::npos);
}
