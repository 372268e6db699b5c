#include "proof/stamp/policy.hpp"

#include "foundation/base/text.hpp"
#include "foundation/document/document.hpp"
#include "foundation/sys/files.hpp"
#include "plan/lock/lock.hpp"

#include <algorithm>

namespace torchkiln::stamp {

using base::ErrorCode;
using base::fail;
using base::Result;
namespace fs = std::filesystem;

namespace {

constexpr std::string_view k_schema = "torchkiln.policy/1";
constexpr std::uint64_t k_policy_limit_bytes = 1U << 20;
constexpr std::uint64_t k_lock_limit_bytes = 64U << 20;

}  // namespace

Result<std::int64_t> parse_age(std::string_view text) {
  constexpr std::pair<char, std::int64_t> k_units[] = {{'d', 86'400}, {'h', 3'600}, {'m', 60}, {'s', 1}};
  constexpr std::int64_t k_count_limit = 1'000'000;
  const auto unit = std::find_if(std::begin(k_units), std::end(k_units),
                                 [&](const auto& each) { return !text.empty() && text.back() == each.first; });
  const auto count = text.empty() ? std::nullopt : base::parse_integer(text.substr(0, text.size() - 1));
  if (unit == std::end(k_units) || !count || *count <= 0 || *count > k_count_limit)
    return fail(ErrorCode::input_invalid, "'" + std::string(text) + "' is no age", {"for example 90d, 12h, 30m"});
  return *count * unit->second;
}

Result<report::Level> parse_proven_level(std::string_view text) {
  const auto level = report::parse_level(text);
  if (!level || *level == report::Level::none)
    return fail(ErrorCode::input_invalid,
                "'" + std::string(text) + "' is none of static, boot, cpu, gpu, multi-gpu");
  return *level;
}

Result<std::string> parse_proven_gpu(std::string_view text) {
  if (base::trim(text).empty())
    return fail(ErrorCode::input_invalid, "'" + std::string(text) + "' names no GPU", {"for example sm_90, H200"});
  // What looks like a target but is none would be looked for in model names, where nothing has it.
  if (text.starts_with("sm_")) {
    const auto capability = version::ComputeCapability::parse(text);
    if (!capability) return fail(capability.error());
  }
  return std::string(text);
}

Result<Policy> read_policy(const fs::path& file) {
  TK_TRY(const auto text, sys::read_file(file, k_policy_limit_bytes));
  TK_TRY(auto document, document::Document::parse(text, file.string(), ErrorCode::input_invalid));
  auto root = document.root();
  const auto schema = root.required_text("schema");
  if (schema.value != k_schema)
    root.reject("schema \"" + schema.value + "\" is not known to this torchkiln", schema.place,
                {"the first line must be schema = \"" + std::string(k_schema) + "\""});
  const auto beside = [&file](std::string_view name) { return file.parent_path() / name; };

  Policy policy;
  const auto keys =
      root.parsed_each("keys", [&](std::string_view name) { return PublicKey::load(beside(name)); });
  if (keys)
    for (const auto& key : *keys) policy.keys.push_back(key.value);
  if (keys ? keys->empty() : !root.has("keys"))
    root.missing("keys", {"name who may sign: keys = [\"kiln.pub\"]; a stamp counts only by its key"});
  if (const auto level = root.parsed("level", parse_proven_level)) policy.level = level->value;
  if (const auto age = root.parsed("max_age", parse_age)) policy.max_age_s = age->value;
  if (const auto gpus = root.parsed_each("gpus", parse_proven_gpu))
    for (const auto& gpu : *gpus) policy.gpus.push_back(gpu.value);
  if (const auto driver = root.parsed("driver_at_least", version::DriverVersion::parse))
    policy.driver_at_least = driver->value;
  const auto lock_identity = root.parsed("lock", [&](std::string_view name) -> Result<base::Digest> {
    TK_TRY(const auto bytes, sys::read_file(beside(name), k_lock_limit_bytes));
    TK_TRY(const auto made_from, lock::parse(bytes, beside(name).string()));
    return lock::identity(made_from);
  });
  if (lock_identity) policy.lock = lock_identity->value;
  root.finish();
  TK_CHECK(document.check());
  return policy;
}

}  // namespace torchkiln::stamp
