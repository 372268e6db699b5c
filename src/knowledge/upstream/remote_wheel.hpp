#pragma once
// Single members of wheels that lie on a server, by byte ranges: a few megabytes of a wheel of hundreds. Many
// wheels at once, in few rounds of requests. A whole wheel is never fetched.

#include "foundation/base/error.hpp"
#include "foundation/sys/http.hpp"
#include "knowledge/upstream/simple_index.hpp"

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::upstream {

/// The largest member that is read, in bytes unpacked. libtorch_python.so has 50 MB.
inline constexpr std::uint64_t k_member_limit_bytes = 512ULL << 20;

/// The member that PEP 658 lets an index offer as a file of its own.
inline constexpr std::string_view k_metadata_member = "*/METADATA";

struct WheelQuestion {
  IndexFile file;
  /// Members, by their full names, or by their last part after "*/" in the wheel's .dist-info. None: only what the
  /// server says about the file.
  std::vector<std::string> members;
};

struct RemoteWheel {
  std::uint64_t size_bytes = 0;     ///< of the wheel; 0 where neither index nor server said it
  std::uint64_t fetched_bytes = 0;  ///< of all answers about its members, the zip's directory aside
  std::optional<std::int64_t> modified_s = std::nullopt;  ///< Last-Modified, where the wheel itself was asked
  std::map<std::string, std::string> members;  ///< by the names that were asked for; absent ones are missing
};

/// What every question asks, in the order asked. METADATA comes from the index's own file where there is one, all
/// else from the wheel. Errors: integrity_failed for bytes with another digest or CRC than they should have,
/// network_failed when a server does not honour ranges.
base::Result<std::vector<RemoteWheel>> read_wheels(sys::HttpClient& http, std::span<const WheelQuestion> questions);

}  // namespace torchkiln::upstream
