#pragma once
// Container Device Interface: a vendor's JSON description of what a container needs to use its device, applied to
// an OCI runtime's config.json (CDI specification 0.6, SPEC.md). Pure.

#include "foundation/document/json.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace torchkiln::runtime {

struct DeviceNode {
  char type = 'c';  ///< 'c' or 'b'
  std::int64_t major = 0;
  std::int64_t minor = 0;
  unsigned mode = 0;  ///< permission bits
};
/// What a path of the host is; nothing when it is no device.
using DeviceLookup = std::function<std::optional<DeviceNode>(const std::string& path)>;

/// Adds to `config` the edits of the specification as a whole and of its device `device_name`: device nodes,
/// mounts, environment, hooks and groups. An Error (input_invalid) when there is no such device, a device node of
/// the host is missing, or the specification is malformed.
base::Result<void> apply_cdi(const document::JsonValue& specification, const std::string& device_name,
                             const DeviceLookup& lookup, document::Json& config);

}  // namespace torchkiln::runtime
