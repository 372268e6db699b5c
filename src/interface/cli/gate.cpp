#include "interface/cli/gate.hpp"

#include "interface/cli/steps.hpp"

#include <filesystem>

namespace torchkiln::cli {

using base::Result;

namespace {

/// What an option says; what is wrong with it is told under the option's name.
template <class Parse>
auto parsed(const char* option, const std::string& text, Parse parse) -> decltype(parse(text)) {
  auto value = parse(text);
  if (value) return value;
  auto error = std::move(value).error();
  error.code = base::ErrorCode::usage;
  error.message = std::string(option) + ": " + error.message;
  return base::fail(std::move(error));
}

}  // namespace

Result<std::vector<stamp::PublicKey>> load_public_keys(const std::vector<std::string>& files) {
  std::vector<stamp::PublicKey> keys;
  for (const auto& file : files) {
    TK_TRY(auto key, stamp::PublicKey::load(file));
    keys.push_back(std::move(key));
  }
  if (!keys.empty()) return keys;
  const auto own = stamp::public_path(KeyOptions().path());
  std::error_code ignored;
  if (!std::filesystem::exists(own, ignored))
    return base::fail(base::ErrorCode::usage, "no public key to check stamps with: there is no " + own.string(),
                      {"name the key of whoever signs with --pub FILE"});
  TK_TRY(auto key, stamp::PublicKey::load(own));
  keys.push_back(std::move(key));
  return keys;
}

Result<stamp::Policy> policy_of(const GateOptions& options) {
  if (!options.policy.empty()) return stamp::read_policy(options.policy);
  stamp::Policy policy;
  TK_TRY(policy.keys, load_public_keys(options.keys));
  if (!options.level.empty()) {
    TK_TRY(policy.level, parsed("--require", options.level, stamp::parse_proven_level));
  }
  if (!options.max_age.empty()) {
    TK_TRY(policy.max_age_s, parsed("--max-age", options.max_age, stamp::parse_age));
  }
  for (const auto& text : options.gpus) {
    TK_TRY(auto gpu, parsed("--gpu", text, stamp::parse_proven_gpu));
    policy.gpus.push_back(std::move(gpu));
  }
  if (!options.driver.empty()) {
    TK_TRY(policy.driver_at_least, version::DriverVersion::parse(options.driver));
  }
  if (!options.lock.empty()) {
    TK_TRY(const auto made_from, read_lock(options.lock));
    policy.lock = lock::identity(made_from);
  }
  return policy;
}

void add_gate_options(CLI::App& command, GateOptions& options, CLI::Option* needed) {
  const std::string group = "What must be proven";
  std::vector<CLI::Option*> each;
  const auto add = [&](const char* flags, auto& value, const char* help, const char* type) {
    auto* option = command.add_option(flags, value, help)->type_name(type)->group(group);
    if (needed) option->needs(needed);
    each.push_back(option);
    return option;
  };
  add("--pub", options.keys, "Public key that must have signed; may be repeated (default: your own)", "FILE")
      ->allow_extra_args(false);
  add("--require", options.level, "Level that must have been reached (default: gpu)", "LEVEL");
  add("--gpu", options.gpus, "GPU that it must have been proven on, sm_90 or a model; may be repeated", "GPU")
      ->allow_extra_args(false);
  add("--driver-at-least", options.driver, "Oldest driver that counts", "VERSION");
  add("--max-age", options.max_age, "Oldest stamp that counts, for example 90d", "AGE");
  add("--lock", options.lock, "The kiln.lock that the image must have been made from", "FILE");
  auto* policy = command.add_option("--policy", options.policy, "All of this, from a file (torchkiln.policy/1)")
                     ->type_name("FILE")
                     ->group(group);
  if (needed) policy->needs(needed);
  for (auto* option : each) policy->excludes(option);
}

}  // namespace torchkiln::cli
