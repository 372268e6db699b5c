#pragma once
// The process's surroundings: environment variables, clock, processors, user.

#include "foundation/base/error.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace torchkiln::sys {

/// The variable's value; nothing when unset or empty.
std::optional<std::string> environment(const std::string& name);

/// Seconds since 1970 by the system clock.
std::int64_t now_s();
/// SOURCE_DATE_EPOCH (reproducible-builds.org) as seconds since 1970; nothing when unset, an Error when it is
/// no non-negative decimal number.
base::Result<std::optional<std::int64_t>> source_date_epoch();
/// Seconds on a clock that never jumps, for durations.
double monotonic_s();

unsigned processor_count();
bool is_root();
/// $HOME, or the password database's entry.
std::filesystem::path home_directory();
/// The path of the running program.
std::filesystem::path executable_path();
/// The first executable file called `program` on PATH (and in /usr/sbin, /sbin, which an ordinary user's PATH
/// lacks on Debian).
std::optional<std::filesystem::path> find_program(const std::string& program);

}  // namespace torchkiln::sys
