#include "plan/lock/below.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace torchkiln::lock {

using base::Result;
using spec::Placed;

namespace {

/// Refuses a wish that the lock below does not fulfil.
base::Unexpected decided_otherwise(const base::Place& place, std::string_view what, const std::string& there,
                                   const Below& below) {
  return base::fail_at(base::ErrorCode::spec_invalid, place,
                       fmt::format("the spec below is locked to {} {} ({})", what, there, below.file),
                       {"leave it out here, or change it there: the image is that image with more on top"});
}

Result<void> decide(std::optional<Placed<version::SpecifierSet>>& wish, std::string_view what,
                    const std::string& there, const Below& below) {
  TK_TRY(const auto version, version::Version::parse(there));
  if (wish && !wish->value.contains(version)) return decided_otherwise(wish->place, what, there, below);
  TK_TRY(auto exactly, version::SpecifierSet::parse("==" + there));
  wish = Placed<version::SpecifierSet>{std::move(exactly), {below.file, 0, 0}};
  return {};
}

Result<void> decide(std::optional<Placed<std::string>>& wish, std::string_view what, const std::string& there,
                    const Below& below) {
  if (wish && wish->value != there) return decided_otherwise(wish->place, what, there, below);
  wish = Placed<std::string>{there, {below.file, 0, 0}};
  return {};
}

template <class Pin>
auto find(std::vector<Pin>& pins, const std::string& name) {
  return std::lower_bound(pins.begin(), pins.end(), name,
                          [](const Pin& pin, const std::string& wanted) { return pin.name < wanted; });
}

}  // namespace

Result<spec::Requirements> decided_by(const Below& below, spec::Requirements require) {
  const auto& there = below.lock->resolution;
  TK_CHECK(decide(require.pytorch, "PyTorch", there.pytorch + "+" + there.build, below));
  TK_CHECK(decide(require.python, "Python", there.python, below));
  TK_CHECK(decide(require.os, "the system", there.os, below));
  TK_CHECK(decide(require.architecture, "architecture", there.architecture, below));
  return require;
}

void keep_below(const Below& below, spec::Variant parts, std::vector<LockedWheel>& wheels) {
  for (const auto& kept : below.lock->wheels) {
    const auto at = find(wheels, kept.name);
    const bool is_there = at != wheels.end() && at->name == kept.name;
    if (!is_there && !is_in(kept, parts)) continue;
    const auto needed_by = is_there ? at->parts : kept.parts;
    const auto pin = is_there ? at : wheels.insert(at, kept);
    *pin = kept;
    pin->parts = needed_by;
  }
}

void keep_below(const Below& below, spec::Variant parts, std::vector<LockedDeb>& debs, base::Progress& progress) {
  std::size_t moved = 0;
  for (const auto& kept : below.lock->debs) {
    const auto at = find(debs, kept.name);
    if (at == debs.end() || at->name != kept.name) {
      if (is_in(kept, parts)) debs.insert(at, kept);
      continue;
    }
    moved += at->version == kept.version ? 0U : 1U;
    const auto pin = *at;
    *at = kept;
    at->parts = pin.parts;
    at->in_build_root = pin.in_build_root;
  }
  if (moved > 0)
    progress.warn(
        fmt::format("the Debian mirror has other versions of {} packages than {}, which are kept; where a new "
                    "package needs the newer ones, lock the spec below with --upgrade",
                    moved, below.file));
}

bool stands_on(const Lock& lock, spec::Variant parts, const Below& below) {
  if (!below.lock) return !lock.extends;
  if (lock.extends != identity(*below.lock)) return false;
  return std::all_of(below.lock->wheels.begin(), below.lock->wheels.end(), [&](const LockedWheel& kept) {
    return !is_in(kept, parts) ||
           std::any_of(lock.wheels.begin(), lock.wheels.end(), [&](const LockedWheel& wheel) {
             return wheel.digest == kept.digest && wheel.file_name == kept.file_name;
           });
  });
}

}  // namespace torchkiln::lock
