// torchkiln verify: run the image's own tests.

#include "interface/cli/commands.hpp"
#include "interface/cli/open_image.hpp"
#include "interface/console/verify_documents.hpp"

namespace torchkiln::cli {

using base::Result;

namespace {

struct VerifyOptions {
  std::string image, level = "cpu", runtime, lock;
  std::vector<std::string> reports;
  double timeout_s = verify::RunLimits().timeout_s;
  std::uint64_t shared_memory_mib = verify::RunLimits().shared_memory_bytes >> 20;
  unsigned soak_s = 0;
};

constexpr double k_timeout_limit_s = 7 * 86400;
constexpr std::uint64_t k_shared_memory_limit_mib = 1U << 20;

Result<report::Level> read_level(const std::string& text) {
  const auto level = report::parse_level(text);
  if (!level || *level == report::Level::none)
    return base::fail(base::ErrorCode::usage,
                      "--level '" + text + "' is none of static, boot, cpu, gpu, multi-gpu");
  return *level;
}

/// runc and crun run unpacked layers; docker and podman run what they hold.
struct Runtime {
  std::optional<runtime::RuntimeKind> kind;
  std::optional<oci::EngineReference> engine;
};

Result<Runtime> choose_runtime(const std::string& text, const oci::ImageReference& reference) {
  Runtime chosen;
  if (const auto* engine = std::get_if<oci::EngineReference>(&reference)) chosen.engine = *engine;
  if (text.empty()) return chosen;
  const auto kind = runtime::parse_runtime(text);
  if (!kind)
    return base::fail(base::ErrorCode::usage, "--runtime '" + text + "' is none of runc, crun, docker, podman");
  if (*kind == runtime::RuntimeKind::runc || *kind == runtime::RuntimeKind::crun) {
    return Runtime{kind, std::nullopt};
  }
  const auto wanted = *kind == runtime::RuntimeKind::docker ? oci::Engine::docker : oci::Engine::podman;
  if (!chosen.engine || chosen.engine->engine != wanted)
    return base::fail(base::ErrorCode::usage, text + " runs only images that it holds",
                      {"name it as " + text + ":REF",
                       "skopeo copy takes an image there: skopeo copy oci:DIR:TAG " +
                           (wanted == oci::Engine::docker ? std::string("docker-daemon:REF")
                                                          : std::string("containers-storage:REF"))});
  return chosen;
}

enum class ReportForm { json, junit, html };

Result<ReportForm> form_of(const std::string& file) {
  if (file.ends_with(".json")) return ReportForm::json;
  if (file.ends_with(".xml")) return ReportForm::junit;
  if (file.ends_with(".html")) return ReportForm::html;
  return base::fail(base::ErrorCode::usage, "--report '" + file + "' ends in none of .json, .xml (JUnit), .html");
}

Result<void> write_reports(const std::vector<std::string>& files, const verify::Verification& verification) {
  for (const auto& file : files) {
    TK_TRY(const auto form, form_of(file));
    TK_CHECK(sys::write_file(file, form == ReportForm::json    ? verification.report
                                   : form == ReportForm::junit ? console::verification_junit(verification.run)
                                                               : console::verification_html(verification.run)));
  }
  return {};
}

Result<int> run_verify(const VerifyOptions& options, Session& session) {
  TK_TRY(const auto level, read_level(options.level));
  for (const auto& file : options.reports) TK_CHECK(form_of(file));
  TK_TRY(const auto reference, oci::parse_reference(options.image));
  // What can be refused is, before an image is fetched.
  TK_TRY(const auto runtime, choose_runtime(options.runtime, reference));
  TK_TRY(const auto opened, open_image(options.image, ImageContent::everything, session));
  std::optional<lock::Lock> lock;
  if (!options.lock.empty()) {
    TK_TRY(lock, read_lock(options.lock));
  }
  verify::VerifyRequest request{.layout = opened.layout, .image = opened.image, .level = level};
  request.runtime = runtime.kind;
  request.engine = runtime.engine;
  request.lock = lock ? &*lock : nullptr;
  request.limits = {options.timeout_s, options.shared_memory_mib << 20, options.soak_s};
  TK_TRY(const auto manifests, session.manifests());
  TK_TRY(request.baselines, verify::read_baselines(manifests / "baselines/gpu.toml"));
  TK_CHECK(session.take_cache());
  TK_TRY(const auto verification, verify::verify(request, session.cache(), session.progress()));
  TK_CHECK(write_reports(options.reports, verification));
  session.print(console::verification_text(verification, session.paint()), verification.report);
  return verification.is_reached() ? 0 : 1;
}

}  // namespace

void add_verify(CLI::App& program, Action& chosen) {
  auto* command = program.add_subcommand("verify", "Test an image by running its own verifier in it");
  auto options = std::make_shared<VerifyOptions>();
  command->add_option("image", options->image, k_image_forms)->required()->type_name("IMAGE");
  command->add_option("--level", options->level, "static, boot, cpu, gpu or multi-gpu (default: cpu)")
      ->type_name("LEVEL");
  command
      ->add_option("--runtime", options->runtime,
                   "runc or crun (default: the first that works here); docker and podman run the images that they "
                   "hold, docker:REF and podman:REF")
      ->type_name("RUNTIME");
  command->add_option("--lock", options->lock, "The lock that the image should be made of")->type_name("FILE");
  command
      ->add_option(
          "--report", options->reports,
          "Where the report goes, its form by the name's end: .json, .xml (JUnit) or .html; may be repeated "
          "(default: standard output with --json, else nowhere)")
      ->type_name("FILE");
  command->add_option("--timeout", options->timeout_s, "Seconds that the image's tests may take (default: 3600)")
      ->type_name("SECONDS")
      ->check(CLI::Range(1.0, k_timeout_limit_s));
  command
      ->add_option("--shm-size", options->shared_memory_mib,
                   "MiB of /dev/shm in the container, and of /tmp and /run (default: 1024)")
      ->type_name("MIB")
      ->check(CLI::Range(std::uint64_t{1}, k_shared_memory_limit_mib));
  command
      ->add_option("--soak", options->soak_s,
                   "Keep the devices busy for as many seconds and watch for results that change")
      ->type_name("SECONDS")
      ->check(CLI::Range(1U, 86400U));
  command->callback(
      [&chosen, options] { chosen = [options](Session& session) { return run_verify(*options, session); }; });
}

}  // namespace torchkiln::cli
