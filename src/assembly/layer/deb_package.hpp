#pragma once
// What a Debian binary package (deb(5)) says of itself.

#include "foundation/base/error.hpp"

#include <cstdint>
#include <filesystem>
#include <string>

namespace torchkiln::layer {

struct DebPackage {
  std::string control;      ///< the control file's fields, without a blank line at the end
  std::int64_t time_s = 0;  ///< when it was built, from its ar members
};

base::Result<DebPackage> read_deb(const std::filesystem::path& path, const std::string& file_name);

}  // namespace torchkiln::layer
