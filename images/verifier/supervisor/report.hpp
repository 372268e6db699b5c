// The documents that others read: the report (torchkiln.verifier/1) and the plan (torchkiln.verifier-plan/1).
#pragma once

#include "supervisor/judge.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace torchkiln::verifier {

struct Report {
  std::string nonce;
  std::uint64_t seed = 0;
  Level asked = Level::cpu;
  std::optional<Level> reached;
  /// The plan's number of tests up to the asked level; `results` has fewer only under --only.
  std::size_t planned = 0;
  Json facts = Json::object();
  std::vector<Result> results;
  double seconds = 0;
};

/// Fields that no program could tell are null, never left out.
Json report_document(const Report& report);

Json plan_document(const std::vector<Test>& tests);

/// The document as it is written: bytes that are not UTF-8 (a program's last words may hold any) become U+FFFD.
std::string text_of(const Json& document);

/// "pass  cpu.matmul.fp32  2.1e-07, at most 2.3e-06  0.03 s", with the reason below it when there is one.
std::string result_line(const Result& result);

}  // namespace torchkiln::verifier
