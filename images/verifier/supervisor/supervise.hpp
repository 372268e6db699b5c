// Runs a plan: starts each program, hands it its tests, watches the clock, judges what comes back. Whatever a
// program does (hang, crash, fall silent, lie about its tests), each planned test gets exactly one result.
#pragma once

#include "supervisor/judge.hpp"

#include <csignal>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace torchkiln::verifier {

struct Assignment {
  std::vector<Test> tests;
  /// How each program is started.
  std::map<Program, std::vector<std::string>> commands;
  std::uint64_t seed = 0;
  std::string scratch;
  std::string prefix;
  std::string site_packages;
  double soak_s = 0;
  /// From a program's start to its facts: reading 3 GB of libraries from a cold disk takes its time.
  double start_timeout_s = 120;
};

struct Findings {
  std::vector<Result> results;
  /// {"versions":{…},"host":{…}} as the programs sent them, merged.
  Json facts = Json::object();
};

/// `announce` is called with each result as soon as it is known. After `interrupted` becomes non-zero the tests
/// left are skipped, with that as the reason.
Findings supervise(const Assignment& assignment, const std::function<void(const Result&)>& announce,
                   const volatile std::sig_atomic_t& interrupted);

}  // namespace torchkiln::verifier
