// An audit in every format: the words are compared whole, with files of tests/golden. What other programs make of
// the documents is tests/e2e/test_audit_formats.py's matter.

#include "interface/console/audit_verdicts.hpp"
#include "support/audit_grids.hpp"
#include "support/golden.hpp"

#include <catch2/catch.hpp>
#include <set>

#include <nlohmann/json.hpp>

using namespace torchkiln;
using namespace torchkiln::console;
using test::written;

TEST_CASE("formats have names, and other names are none") {
  CHECK(audit_format_names().size() == k_audit_formats);
  for (const auto& text : audit_format_names()) CHECK(name(*parse_audit_format(text)) == text);
  CHECK_FALSE(parse_audit_format("xml"));
  CHECK_FALSE(parse_audit_format(""));
}

TEST_CASE("every format of a small audit is what it was") {
  const auto sample = test::small_audit();
  for (const auto& text : audit_format_names()) {
    if (text == "html") continue;  // its matrix is compared below, its look in the end-to-end test
    CHECK(test::difference_to_golden("audit." + text, written(*parse_audit_format(text), sample->grid)) == "");
  }
}

TEST_CASE("a table fits the terminal, and only commands are longer") {
  const auto samples = {test::small_audit(), test::large_audit(200, 3, 12)};
  for (const auto& sample : samples)
    for (const std::size_t columns : {60, 80, 100, 200}) {
      const auto text = written(AuditFormat::table, sample->grid, {Paint(Coloring::off), columns});
      for (const auto line : base::lines(text))
        if (line.find("torchkiln audit --host") == std::string_view::npos) CHECK(line.size() <= columns);
    }
}

TEST_CASE("a table says of alike hosts once, and tells that unknown is not fine") {
  const auto fleet = test::large_audit(128, 2, 1);
  const auto text = written(AuditFormat::table, fleet->grid);
  CHECK_THAT(text, Catch::Matchers::StartsWith("gpu-node[001-128] (128 hosts): driver 470.82.01,"));
  CHECK_THAT(written(AuditFormat::table, test::small_audit()->grid),
             Catch::Matchers::Contains("\n  UNKNOWN  unknown"));
}

TEST_CASE("a table in colours has the same words") {
  const auto sample = test::small_audit();
  auto text = written(AuditFormat::table, sample->grid, {Paint(Coloring::on), 100});
  CHECK_THAT(text, Catch::Matchers::Contains("\x1b[1;31mNO"));
  for (const auto* code : {"\x1b[1m", "\x1b[2m", "\x1b[1;32m", "\x1b[1;33m", "\x1b[1;31m", "\x1b[36m", "\x1b[0m"})
    text = base::replace_all(text, code, "");
  CHECK(text == written(AuditFormat::table, sample->grid));
}

TEST_CASE("no format lets a control code of a name through to the reader") {
  const auto sample = test::hostile_audit();
  for (const auto& format : audit_format_names()) {
    if (format == "csv" || format == "prometheus") continue;  // these keep texts byte for byte, as data
    const auto text = written(*parse_audit_format(format), sample->grid);
    CHECK(text.find('\x1b') == std::string::npos);
    CHECK(text.find('\a') == std::string::npos);
  }
}

TEST_CASE("the page's cells lead to words that alike cells share") {
  const auto sample = test::small_audit();
  const auto text = written(AuditFormat::html, sample->grid);
  CHECK_THAT(text, Catch::Matchers::Contains("<td class=r><a href=#j1>✓ minor-version</a><td class=n><a href=#j2>"
                                             "✗ driver-too-old</a><td class=n><a href=#j3>✗ no-kernels</a>"));
  CHECK_THAT(text, Catch::Matchers::Contains("<td class=d><a href=#j4>✓ direct</a><td class=d><a href=#j4>"));
  CHECK_THAT(text, Catch::Matchers::Contains("<article id=j5><h4>c × pytorch 2.7.1+cu126 <i>and 2 more cells</i>"));
}

TEST_CASE("a page that would be too large for a browser says what it leaves out") {
  const auto sample = test::large_audit(3'000, 40, 3'000);
  const auto text = written(AuditFormat::html, sample->grid);
  CHECK_THAT(text, Catch::Matchers::Contains("the first 2500 of 3000 kinds of hosts"));
  CHECK_THAT(written(AuditFormat::html, test::large_audit(200, 40, 200)->grid),
             !Catch::Matchers::Contains("This page shows"));
}

TEST_CASE("a document comes in pieces, and words are made once for each pair of kinds") {
  auto sample = test::large_audit(1'000, 20, 10);
  std::size_t asked = 0;
  sample->grid.judgement = [&, grid = &sample->grid](std::size_t host, std::size_t image) {
    ++asked;
    return test::audit_sample::judgement(grid->verdict(host, image), "");
  };
  for (const auto format : {AuditFormat::json, AuditFormat::jsonl, AuditFormat::csv, AuditFormat::junit}) {
    asked = 0;
    std::size_t longest = 0, total = 0;
    write_audit(format, sample->grid, {}, [&](std::string_view piece) {
      longest = std::max(longest, piece.size());
      total += piece.size();
    });
    CHECK(asked == 200);
    CHECK(longest < (80U << 10));
    CHECK(total > (1U << 20));
  }
}

TEST_CASE("series stay apart when names do not") {
  auto sample = test::small_audit();
  sample->hosts[1].name = "a";
  const auto text = written(AuditFormat::prometheus, sample->grid);
  CHECK_THAT(text,
             Catch::Matchers::Contains("{host=\"a\",image=\"pytorch 2.7.1+cu126\",verdict=\"minor-version\"} 1"));
  CHECK_THAT(text,
             Catch::Matchers::Contains("{host=\"a (2)\",image=\"pytorch 2.7.1+cu126\",verdict=\"direct\"} 1"));
}

TEST_CASE("a finding keeps its fingerprint when hosts of its kind come and go") {
  const auto fingerprint = [](const test::AuditSample& sample) {
    const auto log = nlohmann::json::parse(written(AuditFormat::sarif, sample.grid));
    return log["runs"][0]["results"][0]["partialFingerprints"]["torchkilnPair/v1"].get<std::string>();
  };
  CHECK(fingerprint(*test::large_audit(12, 4, 12)) == fingerprint(*test::large_audit(120, 4, 12)));
}

TEST_CASE("verdicts have codes and meanings of their own") {
  std::set<std::string_view> codes, meanings;
  for (std::size_t i = 0; i < audit::k_verdicts; ++i) {
    const auto verdict = static_cast<audit::Verdict>(i);
    CHECK(codes.insert(code_of(verdict)).second);
    CHECK(meanings.insert(meaning_of(verdict)).second);
    CHECK(audit::runs(verdict) == (outcome_of(verdict) == Outcome::runs));
  }
}
