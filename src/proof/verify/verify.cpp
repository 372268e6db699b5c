#include "proof/verify/verify.hpp"

#include "foundation/base/text.hpp"
#include "foundation/sys/environment.hpp"
#include "foundation/sys/files.hpp"
#include "proof/verify/in_image.hpp"
#include "proof/verify/static_tests.hpp"

#include <sys/random.h>
#include <sys/utsname.h>

#include <fmt/format.h>

namespace torchkiln::verify {

using base::Result;
namespace fs = std::filesystem;

namespace {

/// 128 random bits: a report can only answer the run that asked for it.
std::string make_nonce() {
  std::string bytes(16, '\0');
  TK_ASSERT(::getrandom(bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()),
            "the kernel gives random bytes");
  return base::to_hex(bytes);
}

void read_this_machine(stamp::HostFacts& host) {
  utsname names = {};
  if (::uname(&names) == 0) {
    host.kernel = names.release;
    host.architecture = names.machine;
  }
  if (const auto text = sys::read_file("/proc/cpuinfo"))
    for (const auto line : base::lines(*text))
      if (line.starts_with("model name")) {
        host.cpu = base::trim(line.substr(line.find(':') + 1));
        break;
      }
}

/// The layer that brings the verifier says which suite was run.
base::Digest suite_digest(const std::vector<fs::path>& lower, const oci::Manifest& manifest) {
  std::error_code error;
  for (std::size_t i = lower.size(); i-- > 0;)
    if (fs::exists(lower[i] / "opt/kiln/bin/torchkiln-verify", error)) return manifest.layers[i].digest;
  return base::Digest::of("");
}

oci::Json report_json(const TestRun& run) {
  using oci::Json;
  Json gpus = Json::array();
  for (const auto& gpu : run.host.gpus)
    gpus.push_back(
        {{"name", gpu.name}, {"uuid_sha256", gpu.uuid_sha256}, {"compute_capability", gpu.compute_capability}});
  Json tests = Json::array();
  for (const auto& test : run.tests) {
    Json one = {{"id", test.id}, {"level", stamp::name(test.level)}, {"verdict", stamp::name(test.verdict)}};
    if (!test.reason.empty()) one["reason"] = test.reason;
    if (!test.measured.is_null()) one["measured"] = Json(test.measured);
    if (!test.limit.is_null()) one["limit"] = Json(test.limit);
    one["seconds"] = static_cast<double>(static_cast<std::int64_t>(test.duration_s * 1000 + 0.5)) / 1000;
    tests.push_back(std::move(one));
  }
  Json versions = Json::object();
  for (const auto& [key, value] : run.versions) versions[key] = value;
  Json report = {{"schema", "torchkiln.report/1"},
                 {"image", {{"digest", run.image.to_string()}, {"name", run.image_name}}}};
  if (run.lock) report["lock"] = {{"digest", run.lock->to_string()}};
  report["suite"] = {{"digest", run.suite.to_string()}};
  report["nonce"] = run.nonce;
  report["host"] = {{"kernel", run.host.kernel},
                    {"arch", run.host.architecture},
                    {"cpu", run.host.cpu},
                    {"driver", run.host.driver},
                    {"gpus", gpus},
                    {"runtime", run.host.runtime}};
  report["versions"] = versions;
  report["level_asked"] = stamp::name(run.asked);
  report["level_reached"] = stamp::name(run.reached);
  report["started"] = base::format_time(run.started_s);
  report["finished"] = base::format_time(run.finished_s);
  report["tests"] = tests;
  return report;
}

}  // namespace

Result<Verification> verify(const VerifyRequest& request, const engine::Cache& cache, base::Progress& progress) {
  TestRun run;
  run.image = request.image.descriptor.digest;
  run.image_name = request.image.name;
  if (request.lock) run.lock = lock::identity(*request.lock);
  run.asked = request.level;
  run.nonce = make_nonce();
  run.started_s = sys::now_s();
  read_this_machine(run.host);

  TK_TRY(const auto manifest, request.layout.read_manifest(request.image.descriptor));
  TK_TRY(const auto config, request.layout.read_config(manifest));
  if (manifest.layers.size() != config.diff_ids.size())
    return base::fail(base::ErrorCode::input_invalid,
                      "the image's manifest and configuration disagree about the number of layers");
  std::vector<runtime::Layer> layers;
  for (std::size_t i = 0; i < manifest.layers.size(); ++i)
    layers.push_back(
        {request.layout.blob_path(manifest.layers[i].digest), manifest.layers[i].media_type, config.diff_ids[i]});
  TK_TRY(const auto lower, cache.unpacked().unpack_all(layers, sys::processor_count(), progress));
  run.suite = suite_digest(lower, manifest);

  base::Step step(progress, "Verifying", "level " + std::string(stamp::name(request.level)));
  TK_TRY(run.tests, run_static_tests(request.layout, request.image, config, request.lock, lower, step));
  if (request.level > Level::static_) {
    auto runner = cache.runner();
    TK_TRY(const auto kind, runner.choose(request.runtime));
    TK_TRY(auto inside, run_in_image(runner, kind, lower, config, request.level, run.nonce, step));
    for (auto& test : inside.tests) run.tests.push_back(std::move(test));
    run.versions = std::move(inside.versions);
    run.host.driver = inside.host.driver;
    run.host.gpus = std::move(inside.host.gpus);
    run.host.runtime = runtime::name(kind);
  }
  run.reached = std::min(stamp::level_borne_out(run.tests), request.level);
  run.finished_s = sys::now_s();
  TK_TRY(auto bytes, oci::to_bytes(report_json(run)));
  bytes += "\n";
  run.report = base::Digest::of(bytes);

  std::size_t passed = 0;
  for (const auto& test : run.tests)
    passed += test.verdict == TestVerdict::pass || test.verdict == TestVerdict::warn;
  step.end(
      fmt::format("{} of {} tests passed, level reached: {}", passed, run.tests.size(), stamp::name(run.reached)));
  return Verification{std::move(run), std::move(bytes)};
}

}  // namespace torchkiln::verify
