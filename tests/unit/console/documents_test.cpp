// What people and programs are told about an image. The words are part of the interface: texts are compared whole.

#include "interface/console/documents.hpp"
#include "interface/console/stamp_documents.hpp"

#include "support/gpu_report.hpp"
#include "support/must.hpp"

#include <functional>

using namespace torchkiln;
using namespace torchkiln::console;
using document::Json;
using torchkiln::report::test::a_test;
using torchkiln::report::test::gpu_report;
using torchkiln::test::must;

namespace {

const Paint k_plain(Coloring::off);

report::TestRun run_of(const std::function<void(Json&)>& change) {
  auto json = gpu_report(base::Digest::of("image"));
  change(json);
  return must(report::parse_report(json.dump(), "report.json"));
}
report::TestRun cpu_run() {
  return run_of([](Json& r) {
    r["level_asked"] = r["level_reached"] = "cpu";
    r["host"]["gpus"] = Json::array();
    r["host"]["driver"] = "";
    r["tests"].erase(3);
  });
}

BakeSummary summary_of(report::TestRun run) {
  BakeSummary summary;
  auto& r = summary.resolution;
  r.pytorch = "2.8.0", r.build = "cu128", r.cuda = "12.8", r.cudnn = "9.10.2.21", r.nccl = "2.27.3";
  r.python = "3.11", r.os = "debian12";
  BakedImage baked;
  baked.built.image = {
      {"application/vnd.oci.image.manifest.v1+json", base::Digest::of("image"), 1}, "t", "team/p:t"};
  baked.built.size_bytes = 4'000'000'000;
  baked.built.unpacked_bytes = 6'900'000'000;
  baked.built.layers = 18;
  baked.run = std::move(run);
  baked.report_file = "kiln.oci.t.report.json";
  baked.statements_file = "kiln.oci.intoto.jsonl";
  summary.images.push_back(std::move(baked));
  summary.spec_file = "kiln.toml", summary.lock_file = "kiln.lock", summary.layout = "kiln.oci";
  summary.public_key = "stamp.pub";
  summary.times = {
      {"Unpacking", "18 layers", "", 29.5}, {"Unpacking", "1 layer", "", 3}, {"Locking", "x", "", 0.01}};
  summary.seconds = 178.94;
  return summary;
}

}  // namespace

TEST_CASE("an error stands with its place, what is known and what to try") {
  base::Error error{base::ErrorCode::spec_invalid,
                    "unknown key 'cuda_'",
                    base::Place{"kiln.toml", 7, 3},
                    {"a note"},
                    {"did you mean 'cuda'?"}};
  CHECK(error_text(error, k_plain) ==
        "kiln.toml:7:3: error: unknown key 'cuda_'\n  a note\n  hint: did you mean 'cuda'?\n");
  auto json = Json::parse(error_json(error));
  CHECK(json["schema"] == "torchkiln.error/1");
  CHECK(json["error"]["code"] == "spec-invalid");
  CHECK(json["error"]["where"] == Json({{"file", "kiln.toml"}, {"line", 7}, {"column", 3}}));
  CHECK(json["error"]["hints"] == Json::array({"did you mean 'cuda'?"}));

  error.where = base::Place{"kiln.oci"};
  json = Json::parse(error_json(error));
  CHECK(json["error"]["where"] == Json({{"file", "kiln.oci"}}));
  error.message = "a name that is no UTF-8: \xff";
  CHECK(Json::parse(error_json(error))["error"]["message"] == "a name that is no UTF-8: \xef\xbf\xbd");
}

TEST_CASE("colours surround words and change none") {
  const Paint paint(Coloring::on);
  const base::Error error{base::ErrorCode::usage, "no", std::nullopt, {}, {}};
  CHECK(error_text(error, paint) == "\x1b[1;31merror:\x1b[0m no\n");
}

TEST_CASE("only a run on a GPU in which nothing failed is called verified") {
  CHECK(level_sentence(run_of([](Json&) {})) == "gpu: verified on NVIDIA H200");
  CHECK(level_sentence(cpu_run()) == "cpu: not verified on a GPU");
  CHECK(level_sentence(run_of([](Json& r) {
          r["level_reached"] = "none";
          r["tests"][0] = a_test("files", "static", "fail");
        })) == "none: see the failed tests in the report");
  // All tests of the level gpu passed, the next one failed.
  const auto half = run_of([](Json& r) {
    r["level_asked"] = "multi-gpu";
    r["tests"].push_back(a_test("nccl", "multi-gpu", "fail"));
  });
  CHECK(level_sentence(half) == "gpu: not verified, a test failed");
  for (const auto& [run, verified] :
       {std::pair(half, false), std::pair(cpu_run(), false), std::pair(run_of([](Json&) {}), true)}) {
    const auto json = Json::parse(bake_json(summary_of(run)));
    CHECK(json["images"][0]["verified"] == verified);
    const bool said = bake_text(summary_of(run), k_plain).find(": verified") != std::string::npos;
    CHECK(said == verified);
  }
}

TEST_CASE("bake ends with what was made, what it is and what to do next") {
  CHECK(bake_text(summary_of(cpu_run()), k_plain) ==
        "\nteam/p:t\n"
        "  digest     " +
            base::Digest::of("image").to_string() +
            "\n"
            "  versions   PyTorch 2.8.0+cu128, CUDA 12.8, cuDNN 9.10.2.21, NCCL 2.27.3, Python 3.11, debian12\n"
            "  size       4.0 GB in 18 layers, 6.9 GB unpacked\n"
            "  level      cpu: not verified on a GPU\n"
            "  report     kiln.oci.t.report.json\n"
            "  stamp      kiln.oci.intoto.jsonl\n"
            "  image      oci:kiln.oci\n"
            "  lock       kiln.lock\n"
            "  time       178.9 s (longest step of each kind: unpacking 29.5)\n"
            "next:\n"
            "  torchkiln run oci:kiln.oci:t -- python -c 'import torch; print(torch.__version__)'\n"
            "  torchkiln stamp check oci:kiln.oci:t --pub stamp.pub --require cpu\n");
}

TEST_CASE("bake tells which tests failed, in one line each") {
  const auto text = bake_text(summary_of(run_of([](Json& r) {
                                r["level_reached"] = "cpu";
                                r["tests"][3] = a_test("train.cuda", "gpu", "fail");
                                r["tests"][3]["reason"] = "loss 2.3 is no better\n#0 a stack\n#1 trace";
                              })),
                              k_plain);
  CHECK_THAT(text, Catch::Matchers::Contains("FAIL train.cuda: loss 2.3 is no better\n  report"));
}

TEST_CASE("bake's JSON has every field that programs rely on") {
  const auto json = Json::parse(bake_json(summary_of(cpu_run())));
  CHECK(json["schema"] == "torchkiln.bake/1");
  CHECK(json["resolution"]["cuda"] == "12.8");
  const auto& image = json["images"][0];
  CHECK(image["reference"] == "team/p:t");
  CHECK(image["digest"] == base::Digest::of("image").to_string());
  CHECK(image["size"] == 4'000'000'000);
  CHECK(image["unpacked_size"] == 6'900'000'000);
  CHECK(image["layers"] == 18);
  CHECK(image["level_reached"] == "cpu");
  CHECK(image["verified_before"] == false);
  CHECK(json["steps"][0]["seconds"] == 29.5);
}

TEST_CASE("a verification is a line a test") {
  verify::Verification verification;
  verification.run = run_of([](Json& r) {
    r["level_reached"] = "cpu";
    r["tests"][3] = a_test("train.cuda", "gpu", "skip");
    r["tests"][3]["reason"] = "no GPU";
  });
  CHECK(verification_text(verification, k_plain) ==
        "pass  files                           0.81 s\n"
        "pass  import                          0.81 s\n"
        "pass  train.cpp                       0.81 s\n"
        "skip  train.cuda                      0.81 s  no GPU\n"
        "level asked: gpu, level reached: cpu: not verified on a GPU\n");
}

TEST_CASE("a checked stamp says what was proven, when and on what; a refused one why and what would help") {
  oci::Image image = {{"m", base::Digest::of("image"), 1}, "t", "team/p:t"};
  stamp::Verdict verdict;
  verdict.proofs.push_back({base::Digest::of("stamp"), "abcd", run_of([](Json&) {})});
  verdict.refusals.push_back(
      {base::Digest::of("other"), stamp::RefusalReason::too_old, "it is of 2025", "verify anew"});
  const auto text = stamp_check_text(image, verdict, k_plain);
  CHECK(text ==
        "team/p:t " + base::Digest::of("image").to_string() + "\n" +
            "proven level gpu: verified on NVIDIA H200, 4 tests, 2026-03-01T10:05:00Z, on A processor, NVIDIA "
            "H200, driver 570.133.20 (kernel 6.1.0, runc 1.1.5)\n"
            "  stamp      " +
            base::Digest::of("stamp").to_string() + "\n" +
            "  key        abcd\n"
            "refused too-old: it is of 2025\n"
            "             verify anew\n");
  const auto json = Json::parse(stamp_check_json(image, verdict));
  CHECK(json["satisfied"] == true);
  CHECK(json["proofs"][0]["verified"] == true);
  CHECK(json["refusals"][0]["reason"] == "too-old");
}
