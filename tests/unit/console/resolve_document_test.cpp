#include "foundation/base/text.hpp"
#include "interface/console/documents.hpp"

#include <catch2/catch.hpp>

using namespace torchkiln;

namespace {

constexpr std::int64_t k_day_s = 86400;

/// A conflict with this many facts and fixes.
solver::Conflict conflict_of(int facts, int fixes) {
  solver::Conflict conflict;
  conflict.summary = "it cannot be had";
  for (int i = 0; i < facts; ++i)
    conflict.core.push_back({solver::Statement::Kind::fact, "fact " + std::to_string(i), "manifests/a.toml:1",
                             "a paper", matrix::Grade::documented, "2026-11-21", "a note"});
  for (int i = 0; i < fixes; ++i) {
    solver::Fix fix;
    fix.text = "fix " + std::to_string(i);
    fix.command = "torchkiln resolve --pytorch 2." + std::to_string(i);
    fix.resolution.build = "cu128";
    conflict.fixes.push_back(std::move(fix));
  }
  return conflict;
}

std::vector<std::string> told(const solver::Conflict& conflict, console::Explain explain) {
  const console::DataAge age{"2026-11-21", 3};
  const auto text = console::conflict_text(conflict, age, explain, console::Paint(console::Coloring::off));
  std::vector<std::string> lines;
  for (const auto line : base::lines(text)) lines.emplace_back(line);
  return lines;
}

}  // namespace

TEST_CASE("the age of the data counts whole days, and never less than none") {
  const auto day_s = base::parse_time("2026-11-21T00:00:00Z").value();
  CHECK(console::DataAge::of("2026-11-21", day_s + k_day_s - 1).to_string() == "2026-11-21 (0 days old)");
  CHECK(console::DataAge::of("2026-11-21", day_s + k_day_s).to_string() == "2026-11-21 (1 day old)");
  CHECK(console::DataAge::of("2026-11-21", day_s - 5 * k_day_s).days == 0);
}

TEST_CASE("a conflict in brief is at most 15 lines, cuts no fix in two, and ends with the age of the data") {
  for (int facts = 1; facts <= 20; ++facts)
    for (int fixes = 0; fixes <= 5; ++fixes) {
      INFO(facts << " facts, " << fixes << " fixes");
      const auto lines = told(conflict_of(facts, fixes), console::Explain::brief);
      CHECK(lines.size() <= 15);
      CHECK(lines.back() == "data as of 2026-11-21 (3 days old)");
      std::size_t texts = 0, commands = 0;
      for (const auto& line : lines) {
        texts += line.starts_with("  fix ");
        commands += line.starts_with("    torchkiln ");
      }
      CHECK(texts == commands);
      const bool is_whole = 3 + facts + 2 * fixes - (fixes == 0 ? 1 : 0) <= 15;
      CHECK(is_whole == (lines.at(lines.size() - 2) != "more with --explain=full"));
    }
}

TEST_CASE("a conflict in full says of every fact how sure it is and who says so") {
  const auto lines = told(conflict_of(20, 5), console::Explain::full);
  CHECK(lines.size() == 1 + 2 * 20 + 1 + 2 * 5 + 1);
  CHECK(lines.at(2) == "    documented 2026-11-21: a paper; a note");
}
