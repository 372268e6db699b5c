#include "assembly/runtime/subordinate_ids.hpp"

#include "foundation/base/text.hpp"
#include "foundation/sys/files.hpp"

#include <optional>
#include <pwd.h>
#include <unistd.h>

namespace torchkiln::runtime {

using base::ErrorCode;
using base::fail;
using base::Result;

namespace {

constexpr std::int64_t k_id_limit = 0xfffffffe;

std::optional<IdRange> parse_range(std::string_view first_text, std::string_view count_text) {
  const auto first = base::parse_integer(first_text);
  const auto count = base::parse_integer(count_text);
  if (!first || !count || *first < 0 || *count <= 0 || *count > k_id_limit || *first > k_id_limit - *count)
    return std::nullopt;
  return IdRange{static_cast<std::uint32_t>(*first), static_cast<std::uint32_t>(*count)};
}

}  // namespace

std::vector<IdRange> parse_subordinate_ids(std::string_view text, std::string_view user_name, std::uint32_t uid) {
  std::vector<IdRange> ranges;
  for (const auto line : base::lines(text)) {
    const auto fields = base::split(line, ':');
    if (fields.size() != 3 || (fields[0] != user_name && fields[0] != std::to_string(uid))) continue;
    if (const auto range = parse_range(fields[1], fields[2])) ranges.push_back(*range);
  }
  return ranges;
}

std::vector<std::string> id_map_arguments(std::uint32_t own_id, const std::vector<IdRange>& subordinate) {
  std::vector<std::string> arguments = {"0", std::to_string(own_id), "1"};
  std::uint64_t inside = 1;
  for (const auto& range : subordinate) {
    for (const std::uint64_t number : {inside, std::uint64_t{range.first}, std::uint64_t{range.count}})
      arguments.push_back(std::to_string(number));
    inside += range.count;
  }
  return arguments;
}

Result<std::vector<IdRange>> own_subordinate_ids(const std::string& file) {
  const auto uid = ::getuid();
  const passwd* const entry = ::getpwuid(uid);
  const std::string user_name = entry ? entry->pw_name : std::to_string(uid);
  const auto text = sys::read_file(file);
  auto ranges = text ? parse_subordinate_ids(*text, user_name, uid) : std::vector<IdRange>();
  if (ranges.empty())
    return fail(ErrorCode::tool_missing, "user '" + user_name + "' has no subordinate ids in " + file,
                {"as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 " + user_name});
  return ranges;
}

}  // namespace torchkiln::runtime
