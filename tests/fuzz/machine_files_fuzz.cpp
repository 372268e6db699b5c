// What lies on machines and was written by other programs: a vendor's CDI specification and /etc/subuid. The first
// byte says which.

#include "assembly/runtime/cdi.hpp"
#include "assembly/runtime/subordinate_ids.hpp"

using namespace torchkiln;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] == 's') {
    for (const auto& range : runtime::parse_subordinate_ids(text, "kiln", 1000))
      TK_ASSERT(range.count > 0, "a range has somebody in it");
    return 0;
  }
  const auto specification = document::JsonValue::parse(text, "nvidia.json");
  if (!specification) return 0;
  document::Json config{{"process", {{"env", document::Json::array()}}}, {"mounts", document::Json::array()}};
  const auto lookup = [](const std::string& path) -> std::optional<runtime::DeviceNode> {
    if (path.ends_with("0")) return std::nullopt;
    return runtime::DeviceNode{'c', 195, 0, 0666};
  };
  if (const auto applied = runtime::apply_cdi(*specification, "all", lookup, config); !applied)
    TK_ASSERT(!applied.error().message.empty(), "an error has words");
  return 0;
}
