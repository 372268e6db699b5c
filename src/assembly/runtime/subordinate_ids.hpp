#pragma once
// The user and group ids that an ordinary user may give away inside a user namespace (subuid(5), subgid(5)), and
// the map made of them: 0 inside is the user, 1 and above are the subordinate ids.

#include "foundation/base/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::runtime {

struct IdRange {
  std::uint32_t first = 0;
  std::uint32_t count = 0;
  bool operator==(const IdRange&) const = default;
};

/// The ranges that `text`, the content of /etc/subuid or /etc/subgid, gives the user, by name or by number, in
/// order. Lines that are malformed are passed over, as newuidmap does.
std::vector<IdRange> parse_subordinate_ids(std::string_view text, std::string_view user_name, std::uint32_t uid);

/// The arguments of newuidmap and newgidmap after the process id: inside, outside, count, and again.
std::vector<std::string> id_map_arguments(std::uint32_t own_id, const std::vector<IdRange>& subordinate);

/// This user's ranges out of `file`. An Error, with what to do, when there are none.
base::Result<std::vector<IdRange>> own_subordinate_ids(const std::string& file);

}  // namespace torchkiln::runtime
