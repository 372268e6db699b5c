#pragma once
// Locks on top of others. A spec that extends another is locked on top of that one's lock: PyTorch, Python and the
// system are what they are there, every package keeps its version, and what is new is added. So the image has every
// layer of the image below.

#include "foundation/base/error.hpp"
#include "foundation/base/progress.hpp"
#include "knowledge/spec/spec.hpp"
#include "plan/lock/lock.hpp"

#include <memory>
#include <string>
#include <vector>

namespace torchkiln::lock {

/// The lock that another one is made on top of.
struct Below {
  std::shared_ptr<const Lock> lock;  ///< none: the spec extends nothing
  std::string file;                  ///< where it is, for messages
};

/// The requirements with what the lock below decides: the build of PyTorch, Python, system and architecture.
/// spec_invalid at the place of one that asks for something else.
base::Result<spec::Requirements> decided_by(const Below& below, spec::Requirements require);

/// Pins with everything that the lock below has for these parts, as it is there.
void keep_below(const Below& below, spec::Variant parts, std::vector<LockedWheel>& wheels);
/// The same for Debian packages; warns when the mirror has moved on.
void keep_below(const Below& below, spec::Variant parts, std::vector<LockedDeb>& debs, base::Progress& progress);

/// Whether `lock` was made on top of the lock below and has all of it for these parts.
bool stands_on(const Lock& lock, spec::Variant parts, const Below& below);

}  // namespace torchkiln::lock
