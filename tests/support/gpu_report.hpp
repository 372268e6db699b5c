#pragma once
// A report of a run on a GPU, as JSON that a test may change.

#include "proof/report/test_run.hpp"

#include <string>

namespace torchkiln::report::test {

using document::Json;

/// When the fixture's runs ended: 2026-03-01T10:05:00Z.
inline constexpr std::int64_t k_finished_s = 1'772'359'500;

inline Json a_test(const std::string& id, const std::string& level, const std::string& verdict = "pass") {
  Json test = {{"id", id}, {"level", level}, {"verdict", verdict}, {"measured", 0.00041}, {"limit", 0.001}};
  test["seconds"] = 0.812;
  if (verdict != "pass") test["reason"] = "because";
  return test;
}

/// A report of a run on an H200 that reached the level gpu.
inline Json gpu_report(const base::Digest& image) {
  return {{"schema", "torchkiln.report/1"},
          {"image", {{"digest", image.to_string()}, {"name", "team/pytorch:t"}}},
          {"lock", {{"digest", base::Digest::of("lock").to_string()}}},
          {"suite", {{"digest", base::Digest::of("suite").to_string()}}},
          {"nonce", "0123456789abcdef"},
          {"host",
           {{"kernel", "6.1.0"},
            {"arch", "x86_64"},
            {"cpu", "A processor"},
            {"driver", "570.133.20"},
            {"gpus", Json::array({{{"name", "NVIDIA H200"},
                                   {"uuid_sha256", base::Digest::of("uuid").hex()},
                                   {"compute_capability", "9.0"}}})},
            {"runtime", "runc 1.1.5"}}},
          {"versions", {{"torch", "2.8.0+cu128"}, {"cuda", "12.8"}}},
          {"level_asked", "gpu"},
          {"level_reached", "gpu"},
          {"started", "2026-03-01T10:00:00Z"},
          {"finished", "2026-03-01T10:05:00Z"},
          {"tests", Json::array({a_test("files", "static"), a_test("import", "boot"), a_test("train.cpp", "cpu"),
                                 a_test("train.cuda", "gpu")})}};
}

}  // namespace torchkiln::report::test
