// Every rule finds what its bad Dockerfile marks and nothing in its good one; both lie in tests/unit/lint/rules.

#include "decision/lint/lint.hpp"

#include "decision/lint/dockerfile.hpp"
#include "foundation/base/text.hpp"
#include "foundation/sys/files.hpp"
#include "knowledge/matrix/load.hpp"
#include "support/must.hpp"

#include <catch2/catch.hpp>
#include <set>

using namespace torchkiln;
using namespace torchkiln::lint;
using test::must;

namespace {

const std::filesystem::path k_folder = TK_TEST_DATA "/unit/lint/rules";

std::vector<Finding> findings_in(const std::string& text, const std::string& file = "Dockerfile",
                                 const Options& options = {}) {
  static const auto k_matrix = must(matrix::load(TK_SOURCE_DIR "/manifests"));
  return must(lint::lint(text, file, k_matrix, options));
}

/// The instructions, by line, in which `rule` finds something.
std::set<int> lines_of(const std::vector<Finding>& findings, std::string_view rule) {
  std::set<int> lines;
  for (const auto& finding : findings)
    if (finding.rule->id == rule) lines.insert(finding.instruction_line);
  return lines;
}

/// The instructions below a comment "# finds RULE".
std::set<int> marked_lines(std::string_view text, const std::string& rule) {
  std::set<int> marked;
  int number = 0;
  bool is_marked = false;
  for (const auto line : base::lines(text)) {
    ++number;
    if (is_marked) marked.insert(number);
    is_marked = line == "# finds " + rule;
  }
  return marked;
}

/// "apt-unpinned 2:23" for each finding, joined by commas.
std::string told(const std::string& text) {
  std::string all;
  for (const auto& one : findings_in(text))
    all += (all.empty() ? "" : ", ") + std::string(one.rule->id) + " " + std::to_string(one.place.line) + ":" +
           std::to_string(one.place.column);
  return all;
}

}  // namespace

TEST_CASE("every rule finds what its bad Dockerfile marks, and nothing in its good one") {
  for (const auto& rule : rules()) {
    const std::string id(rule.id);
    INFO(id);
    const auto bad = must(sys::read_file(k_folder / (id + ".bad.Dockerfile")));
    const auto good = must(sys::read_file(k_folder / (id + ".good.Dockerfile")));
    REQUIRE_FALSE(marked_lines(bad, id).empty());
    const Options options{id == "label-missing" ? std::vector<std::string>{"org.opencontainers.image.source"}
                                                : std::vector<std::string>{}};
    CHECK(lines_of(findings_in(bad, id, options), id) == marked_lines(bad, id));
    CHECK(lines_of(findings_in(good, id, options), id).empty());
  }
}

TEST_CASE("every finding says what is wrong and what to write instead, on one line each") {
  for (const auto& entry : std::filesystem::directory_iterator(k_folder))
    for (const auto& finding : findings_in(must(sys::read_file(entry.path())))) {
      INFO(finding.rule->id << ": " << finding.text << "; " << finding.fix);
      CHECK(finding.text.size() > 10);
      CHECK(finding.fix.size() > 5);
      CHECK((finding.text + finding.fix).find('\n') == std::string::npos);
      CHECK_FALSE(finding.text.ends_with('.'));
    }
}

TEST_CASE("an alias is one rule's, in any case") {
  std::set<std::string> names;
  for (const auto& rule : rules()) {
    CHECK(names.insert(std::string(rule.id)).second);
    CHECK(find_rule(rule.id) == &rule);
    for (const auto alias : rule.aliases)
      if (!alias.empty()) {
        CHECK(names.insert(base::lower(alias)).second);
        CHECK(find_rule(base::lower(alias)) == &rule);
      }
  }
  CHECK(find_rule("hadolint/DL3008") == find_rule("apt-unpinned"));
  CHECK(find_rule("DL9999") == nullptr);
}

TEST_CASE("a finding stands at the word it is about, also on a continued line") {
  CHECK(told("FROM debian:12\nHEALTHCHECK NONE\nUSER 1\nRUN apt-get install --yes --no-install-recommends \\\n"
             "  # why\n  ünï=1 git\n") == "apt-unpinned 6:9");
}

TEST_CASE("a build that never was names those that are") {
  const auto findings = findings_in("FROM debian:12\nRUN pip install torch==2.8.0+cu121\n");
  const auto found = std::find_if(findings.begin(), findings.end(),
                                  [](const Finding& one) { return one.rule->id == "torch-build-unknown"; });
  REQUIRE(found != findings.end());
  CHECK(found->text == "PyTorch 2.8.0 has no cu121 build; it has cpu, cu126, cu128, cu129");
}

TEST_CASE("comments take findings away from one instruction, or from the file") {
  const std::string run = "RUN apt-get install --yes --no-install-recommends git\n";
  const std::string head = "FROM debian:12\nHEALTHCHECK NONE\nUSER 1\n";
  CHECK(told(head + run) == "apt-unpinned 4:51");
  for (const auto* comment :
       {"# hadolint ignore=DL3008", "# torchkiln ignore=apt-unpinned", "#tally ignore=hadolint/DL3008",
        "# torchkiln ignore=apt-lists, dl3008", "# hadolint ignore=DL3008 ; pinned elsewhere",
        "# a reason\n# hadolint ignore=DL3008\n# another"}) {
    INFO(comment);
    CHECK(told(head + comment + "\n" + run) == "");
    CHECK(told(head + comment + "\nRUN true && true\n" + run).starts_with("apt-unpinned"));
  }
  CHECK(told("# hadolint global ignore=DL3008\n" + head + run) == "");
  CHECK(told("# checkov:skip=CKV_DOCKER_2:no service\nFROM debian:12\nUSER 1\n") == "");
  CHECK(told(head + "RUN apt-get install --yes \\\n  # torchkiln ignore=DL3008,DL3015\n  git\n") == "");
  CHECK(told(head + "# hadolint ignore=DL3009\n" + run) == "apt-unpinned 5:51");
  CHECK(told(head + "# not hadolint ignore=DL3008\n" + run) == "apt-unpinned 5:51");
}

TEST_CASE("variables have the values that the file gives them, and nothing is said of others") {
  CHECK(told("ARG TAG=latest\nFROM debian:${TAG}\nHEALTHCHECK NONE\nUSER 1\n") == "tag-latest 2:6");
  CHECK(told("ARG TAG\nFROM debian:${TAG}\nHEALTHCHECK NONE\nUSER 1\n") == "");
  CHECK(told("FROM debian:${TAG:-latest}\nHEALTHCHECK NONE\nUSER 1\n") == "tag-latest 1:6");
  CHECK(told("FROM debian:12\nARG WHO=root\nHEALTHCHECK NONE\nUSER $WHO\n") == "root-user 4:6, user-by-name 4:6");
}

TEST_CASE("what is over a limit is refused, with its place") {
  const auto refusal = [](const std::string& text) {
    const auto read = read_dockerfile(text, "Dockerfile");
    REQUIRE_FALSE(read.has_value());
    return test::words(read.error());
  };
  CHECK(read_dockerfile(std::string(k_line_bytes, '#'), "Dockerfile").has_value());
  CHECK(refusal("FROM a\n" + std::string(k_line_bytes + 1, '#')) ==
        "input-invalid: Dockerfile:2:1: a line is longer than 65.5 kB");
  std::string many;
  for (std::size_t i = 0; i < k_instruction_count; ++i) many += "USER 1\n";
  CHECK(read_dockerfile(many, "Dockerfile").has_value());
  CHECK(refusal(many + "USER 1\n") == "input-invalid: Dockerfile:4001:1: more than 4000 instructions");
  CHECK(refusal(std::string(k_file_bytes + 1, '\n')) == "input-invalid: Dockerfile: larger than 1.0 MB");
  CHECK(refusal(std::string("FROM a\0b", 8)) ==
        "input-invalid: Dockerfile: holds NUL bytes: this is no Dockerfile");
}

TEST_CASE("docs/lint.md has a row for every rule, as it is") {
  const auto page = must(sys::read_file(TK_SOURCE_DIR "/docs/lint.md"));
  for (const auto& rule : rules()) {
    std::vector<std::string> aliases;
    for (const auto alias : rule.aliases)
      if (!alias.empty()) aliases.emplace_back(alias);
    const auto row = "| `" + std::string(rule.id) + "` | " + std::string(name(rule.severity)) + " | " +
                     std::string(rule.summary) + " | " + base::join(aliases, ", ") + " |\n";
    INFO(row);
    CHECK(page.find(row) != std::string::npos);
  }
}
