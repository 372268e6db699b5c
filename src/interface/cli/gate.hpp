#pragma once
// The gate: what an image must have been proven to be before it is let through.

#include "foundation/base/error.hpp"
#include "proof/stamp/policy.hpp"

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace torchkiln::cli {

struct GateOptions {
  std::string policy;  ///< a file that says all of it; the others say it one by one
  std::string level, max_age, driver, lock;
  std::vector<std::string> keys, gpus;
};

/// Adds the options; each of them needs `needed`, where there is one.
void add_gate_options(CLI::App& command, GateOptions& options, CLI::Option* needed = nullptr);
/// The policy that the options say; without a key our own.
base::Result<stamp::Policy> policy_of(const GateOptions& options);
/// Public keys in these files; without any our own.
base::Result<std::vector<stamp::PublicKey>> load_public_keys(const std::vector<std::string>& files);

}  // namespace torchkiln::cli
