#include "knowledge/upstream/rewrite.hpp"

#include "support/must.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace torchkiln::upstream;
using torchkiln::base::ErrorCode;
using torchkiln::matrix::Grade;
using torchkiln::matrix::ManifestFile;
using torchkiln::test::error_of;
using torchkiln::test::must;
using torchkiln::version::Version;
namespace matrix = torchkiln::matrix;

namespace {

const std::string k_head = "schema = \"torchkiln.matrix/1\"\n";
const std::string k_measured = "source = \"wheel\"\ngrade = \"measured\"\ndate = 2026-01-01\n";
const std::string k_documented = "source = \"notes\"\ngrade = \"documented\"\ndate = 2026-01-01\n";

std::string build_text(const std::string& releases, const std::string& variant, const std::string& index,
                       const std::string& from) {
  return "[[build]]\npytorch = [" + releases + "]\nvariant = \"" + variant +
         "\"\narchitecture = \"x86_64\"\nindex = \"" + index +
         "\"\nstatus = \"stable\"\ncuda = \"12.8\"\npython = [\"3.10\", \"3.11\"]  # by tags\nglibc = \"2.28\"\n" +
         from;
}

/// A small matrix: two releases, one default build of each, one of upstream's own index for both.
std::vector<ManifestFile> manifests() {
  std::string torch = "# PyTorch 2.8, for a test.\n" + k_head;
  for (const std::string release : {"2.8.1", "2.8.0"})
    torch += "\n[[release]]\npytorch = \"" + release + "\"\nreleased = 2025-08-06\n" + k_measured;
  torch += "\n# The default builds.\n" + build_text("\"2.8.1\"", "cu128", "default", k_measured) + "\n" +
           build_text("\"2.8.0\"", "cu128", "default", k_measured) + "note = \"As it was.\"\n\n" +
           build_text("\"2.8.1\", \"2.8.0\"", "cu128", "pytorch", k_documented);
  return {
      {"cuda.toml",
       k_head + "family = [\n  { major = 12, driver = \"525.60.13\", source = \"notes\", grade = "
                "\"documented\", date = 2026-01-01 },\n]\n# Newest first.\ntoolkit = [\n  { cuda = \"12.8\", "
                "driver = \"570.26\", source = \"notes\", grade = \"documented\", date = 2026-01-01 },\n]\n"},
      {"pytorch-2.8.toml", torch},
      {"sources.toml", k_head + "\n[[source]]\nid = \"wheel\"\ntitle = \"wheels\"\n\n[[source]]\nid = \"notes\"\n"
                                "title = \"release notes\"\n"}};
}

matrix::Matrix known() {
  return must(matrix::read(manifests(), "manifests"));
}

matrix::Provenance from(Grade grade, const std::string& source = "wheel") {
  matrix::Provenance provenance;
  provenance.source = source;
  provenance.grade = grade;
  provenance.date = "2026-02-02";
  return provenance;
}

matrix::Build build(const std::string& release, const std::string& index) {
  matrix::Build build;
  build.pytorch = must(Version::parse(release));
  build.variant = "cu128";
  build.index = index;
  build.from = from(Grade::measured);
  return build;
}

Survey survey_of(std::vector<Row> rows) {
  Survey survey;
  survey.rows = std::move(rows);
  return survey;
}

std::string text_of(const std::vector<ManifestFile>& files, const std::string& name) {
  for (const auto& file : files)
    if (file.name == name) return file.text;
  FAIL("no " << name);
  return "";
}

/// Lines that only one of two texts has: "-old" and "+new", in order; enough for small changes.
std::vector<std::string> changed_lines(const std::string& before, const std::string& after) {
  const auto lines = [](const std::string& text) {
    std::vector<std::string> list;
    for (std::size_t at = 0; at < text.size();) {
      const auto end = text.find('\n', at);
      list.push_back(text.substr(at, end - at));
      at = end + 1;
    }
    return list;
  };
  auto old_lines = lines(before), new_lines = lines(after);
  std::vector<std::string> changes;
  for (const auto& line : old_lines) {
    const auto same = std::find(new_lines.begin(), new_lines.end(), line);
    if (same != new_lines.end())
      new_lines.erase(same);
    else
      changes.push_back("-" + line);
  }
  for (const auto& line : new_lines) changes.push_back("+" + line);
  return changes;
}

std::vector<ManifestFile> rewritten(const Survey& survey) {
  return must(rewrite(manifests(), compare(known_rows(known()), survey), survey));
}

}  // namespace

TEST_CASE("what upstream says as we do is no change, and nothing is written") {
  auto same = build("2.8.0", "default");
  same.python = {"3.10", "3.11"};
  auto row = row_of(same);
  row.extent = Extent::listing;
  const auto survey = survey_of({row});
  CHECK(compare(known_rows(known()), survey).empty());
  const auto files = rewritten(survey);
  for (const auto& file : manifests()) CHECK(text_of(files, file.name) == file.text);
}

TEST_CASE("one key of a row is changed in its line, and the comment behind it stays") {
  auto more = build("2.8.0", "default");
  more.python = {"3.10", "3.11", "3.12"};
  auto row = row_of(more);
  row.extent = Extent::listing;
  const auto survey = survey_of({row});
  const auto changes = compare(known_rows(known()), survey);
  REQUIRE(changes.size() == 1);
  CHECK(changes[0].kind == Change::Kind::changed);
  CHECK(changed_lines(text_of(manifests(), "pytorch-2.8.toml"), text_of(rewritten(survey), "pytorch-2.8.toml")) ==
        std::vector<std::string>{"-python = [\"3.10\", \"3.11\"]  # by tags", "-date = 2026-01-01",
                                 "+python = [\"3.10\", \"3.11\", \"3.12\"]  # by tags", "+date = 2026-02-02"});
}

TEST_CASE("a measured row keeps its value against a lower grade, whose word becomes a note, once") {
  auto other = build("2.8.0", "default");
  other.glibc = must(Version::parse("2.34"));
  other.from = from(Grade::documented, "notes");
  const auto survey = survey_of({row_of(other)});
  const auto changes = compare(known_rows(known()), survey);
  REQUIRE(changes.size() == 1);
  CHECK(changes[0].kind == Change::Kind::kept);
  const auto files = rewritten(survey);
  CHECK(changed_lines(text_of(manifests(), "pytorch-2.8.toml"), text_of(files, "pytorch-2.8.toml")) ==
        std::vector<std::string>{"-note = \"As it was.\"", "+note = 'As it was. notes says glibc = \"2.34\".'"});
  CHECK(compare(known_rows(must(matrix::read(files, "manifests"))), survey).empty());
}

TEST_CASE("glibc of a wheel's own libraries is a lower bound: a row that asks for more is not contradicted") {
  auto lower = build("2.8.0", "default");
  lower.glibc = must(Version::parse("2.17"));
  CHECK(compare(known_rows(known()), survey_of({row_of(lower)})).empty());
}

TEST_CASE("a documented row of two releases is taken apart where one of them was measured; the loser is noted") {
  auto measured = build("2.8.0", "pytorch");
  measured.python = {"3.11"};
  measured.cuda = torchkiln::version::CudaVersion{12, 8, 0};
  const auto survey = survey_of({row_of(measured)});
  const auto files = rewritten(survey);
  const auto after = must(matrix::read(files, "manifests"));
  const auto find = [&](const std::string& release) {
    return *std::find_if(after.builds.begin(), after.builds.end(), [&](const matrix::Build& one) {
      return one.index == "pytorch" && one.pytorch.to_string() == release;
    });
  };
  CHECK(find("2.8.0").from.grade == Grade::measured);
  CHECK(find("2.8.0").from.source == "wheel");
  CHECK(find("2.8.0").python == std::vector<std::string>{"3.11"});
  CHECK(find("2.8.0").from.note == "notes says python = [\"3.10\", \"3.11\"].");
  CHECK(find("2.8.1").from.grade == Grade::documented);
  CHECK(find("2.8.1").python == std::vector<std::string>{"3.10", "3.11"});
}

TEST_CASE("a new release gets its place: in the order of its file, or in a file of its own") {
  std::vector<Row> rows;
  for (const std::string version : {"2.8.2", "2.9.0"}) {
    matrix::Release release;
    release.pytorch = must(Version::parse(version));
    release.released = "2026-01-31";
    release.from = from(Grade::measured);
    rows.push_back(row_of(release));
    auto added = build(version, "default");
    added.cuda = torchkiln::version::CudaVersion{12, 8, 0};
    added.python = {"3.11"};
    added.glibc = must(Version::parse("2.28"));
    added.requirements = {"triton==3.5.0; python_version < \"3.14\"", "nvidia-nvtx-cu12==12.8.90"};
    rows.push_back(row_of(added));
  }
  const auto survey = survey_of(rows);
  const auto files = rewritten(survey);
  const auto text = text_of(files, "pytorch-2.8.toml");
  CHECK(text.find("2.8.2") < text.find("2.8.1"));
  CHECK(text.find("# The default builds.\n[[build]]\npytorch = [\"2.8.1\"]") != std::string::npos);
  CHECK(text.find("date = 2026-02-02\n\n# The default builds.") != std::string::npos);
  CHECK(
      text_of(files, "pytorch-2.9.toml") ==
      "# PyTorch 2.9: releases and builds. docs/matrix.md explains the fields.\n" + k_head +
          "\n[[release]]\npytorch = \"2.9.0\"\nreleased = 2026-01-31\nsource = \"wheel\"\ngrade = \"measured\"\n"
          "date = 2026-02-02\n\n[[build]]\npytorch = [\"2.9.0\"]\nvariant = \"cu128\"\narchitecture = \"x86_64\"\n"
          "index = \"default\"\nstatus = \"stable\"\ncuda = \"12.8\"\npython = [\"3.11\"]\n"
          "glibc = \"2.28\"\nrequirements = [\n  \"nvidia-nvtx-cu12==12.8.90\",\n"
          "  'triton==3.5.0; python_version < \"3.14\"',\n]\nsource = \"wheel\"\ngrade = \"measured\"\n"
          "date = 2026-02-02\n");
}

TEST_CASE("a row of an inline array is one line more, before the first older one; its source is added") {
  matrix::Toolkit toolkit;
  toolkit.cuda = {12, 8, 1};
  toolkit.driver = must(torchkiln::version::DriverVersion::parse("570.124.06"));
  toolkit.from = from(Grade::documented, "redistrib");
  const auto survey = survey_of({row_of(toolkit)});
  const auto files = rewritten(survey);
  CHECK(changed_lines(text_of(manifests(), "cuda.toml"), text_of(files, "cuda.toml")) ==
        std::vector<std::string>{"+  { cuda = \"12.8.1\", driver = \"570.124.06\", source = \"redistrib\", grade = "
                                 "\"documented\", date = 2026-02-02 },"});
  CHECK(text_of(files, "sources.toml")
            .ends_with("[[source]]\nid = \"redistrib\"\ntitle = \"NVIDIA redistrib_*.json\"\n"
                       "detail = \"versions of the components of a release\"\n"));
  toolkit.cuda = {12, 8, 0};
  const auto changed = rewritten(survey_of({row_of(toolkit)}));
  CHECK(text_of(changed, "cuda.toml")
            .find("  { cuda = \"12.8\", driver = \"570.124.06\", source = \"redistrib\", grade = "
                  "\"documented\", date = 2026-02-02 },") != std::string::npos);
}

TEST_CASE("what upstream no longer has is told and stays; what it yanked is told with its reason") {
  Survey survey;
  survey.scopes = {"build default"};
  survey.yanked["build 2.8.0 default x86_64"] = "wrong metadata";
  const auto changes = compare(known_rows(known()), survey);
  REQUIRE(changes.size() == 2);
  CHECK(changes[0].kind == Change::Kind::gone);
  CHECK(changes[0].reason == "not listed");
  CHECK(changes[1].reason == "yanked: wrong metadata");
  for (const auto& file : manifests()) CHECK(text_of(rewritten(survey), file.name) == file.text);
}

TEST_CASE("changes that would leave the matrix wrong are refused as a whole, with what is wrong") {
  auto odd = build("2.8.0", "default");
  odd.variant = "cu129";
  odd.cuda = torchkiln::version::CudaVersion{12, 9, 0};
  const auto survey = survey_of({row_of(odd)});
  const auto error = error_of(rewrite(manifests(), compare(known_rows(known()), survey), survey));
  CHECK(error.code == ErrorCode::matrix_invalid);
  CHECK(error.notes == std::vector<std::string>{"2.8.0+cu129 for x86_64: no toolkit row for its CUDA"});
}

TEST_CASE("TOML strings take the quotes that need no escapes") {
  CHECK(toml_text("plain") == "\"plain\"");
  CHECK(toml_text("a \"b\"") == "'a \"b\"'");
  CHECK(toml_text("it's \"b\"\n") == "\"it's \\\"b\\\"\\u000a\"");
}
