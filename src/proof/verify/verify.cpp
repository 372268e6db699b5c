#include "proof/verify/verify.hpp"

#include "foundation/base/text.hpp"
#include "foundation/sys/environment.hpp"
#include "foundation/sys/files.hpp"
#include "proof/verify/container_tests.hpp"
#include "proof/verify/in_image.hpp"
#include "proof/verify/kernel_log.hpp"
#include "proof/verify/label_tests.hpp"
#include "proof/verify/service_tests.hpp"
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

void read_this_machine(report::HostFacts& host) {
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
  TK_TRY(const auto layers, runtime::layers_of(request.layout, manifest, config));
  TK_TRY(const auto lower, cache.unpacked().unpack_all(layers, sys::processor_count(), progress));
  run.suite = suite_digest(lower, manifest);

  base::Step step(progress, "Verifying", "level " + std::string(report::name(request.level)));
  TK_TRY(run.tests, run_static_tests(request.layout, request.image, config, request.lock, lower, step));
  if (request.level > Level::static_) {
    auto runner = cache.runner();
    auto kind = request.engine && request.engine->engine == oci::Engine::podman ? runtime::RuntimeKind::podman
                                                                                : runtime::RuntimeKind::docker;
    if (!request.engine) {
      TK_TRY(kind, runner.choose(request.runtime));
    }
    const RunInImage run_request = [&](const runtime::RunRequest& wanted) {
      return request.engine ? runner.run_in_engine(kind, request.engine->name, wanted)
                            : runner.run(kind, lower, wanted);
    };
    auto kernel_log = request.level >= Level::gpu ? KernelLog::open() : std::nullopt;
    TK_TRY(auto inside, run_in_image(run_request, config, request.level, run.nonce, request.limits, step));
    for (auto& test : inside.tests) run.tests.push_back(std::move(test));
    if (kernel_log) judge_xids(run.tests, xids_in(kernel_log->new_records()));
    warn_if_slow(run.tests, inside.host.gpus, request.baselines);
    TK_TRY(auto container, run_container_tests(run_request, config, variant_of(config), step));
    for (auto& test : container) run.tests.push_back(std::move(test));
    TK_TRY(auto services, run_service_tests(run_request, config, variant_of(config), step));
    for (auto& test : services) run.tests.push_back(std::move(test));
    run.versions = std::move(inside.versions);
    run.host.driver = inside.host.driver;
    run.host.gpus = std::move(inside.host.gpus);
    run.host.runtime = runtime::name(kind);
  }
  run.reached = std::min(report::level_borne_out(run.tests), request.level);
  run.finished_s = sys::now_s();
  TK_TRY(auto bytes, to_report(run));
  run.report = base::Digest::of(bytes);

  std::size_t passed = 0;
  for (const auto& test : run.tests)
    passed += test.verdict == TestVerdict::pass || test.verdict == TestVerdict::warn;
  step.end(
      fmt::format("{} of {} tests passed, level reached: {}", passed, run.tests.size(), report::name(run.reached)));
  return Verification{std::move(run), std::move(bytes)};
}

}  // namespace torchkiln::verify
