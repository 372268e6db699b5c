// torchkiln verify: run the image's own tests.

#include "interface/cli/commands.hpp"
#include "interface/cli/open_image.hpp"

namespace torchkiln::cli {

namespace {
struct VerifyOptions {
  std::string image, level = "cpu", runtime, lock, report;
};
}  // namespace

void add_verify(CLI::App& program, Action& chosen) {
  auto* command = program.add_subcommand("verify", "Test an image by running its own verifier in it");
  auto options = std::make_shared<VerifyOptions>();
  command->add_option("image", options->image, k_image_forms)->required()->type_name("IMAGE");
  command->add_option("--level", options->level, "static, boot, cpu, gpu or multi-gpu (default: cpu)")
      ->type_name("LEVEL");
  command->add_option("--runtime", options->runtime, "runc or crun (default: the first that works here)")
      ->type_name("RUNTIME");
  command->add_option("--lock", options->lock, "The lock that the image should be made of")->type_name("FILE");
  command
      ->add_option("--report", options->report,
                   "Where the report goes (default: standard output with --json, else nowhere)")
      ->type_name("FILE");
  command->callback([&chosen, options] {
    chosen = [options](Session& session) -> base::Result<int> {
      const auto level = report::parse_level(options->level);
      if (!level || *level == report::Level::none)
        return base::fail(base::ErrorCode::usage,
                          "--level '" + options->level + "' is none of static, boot, cpu, gpu, multi-gpu");
      std::optional<runtime::RuntimeKind> kind;
      if (!options->runtime.empty()) {
        kind = runtime::parse_runtime(options->runtime);
        if (kind != runtime::RuntimeKind::runc && kind != runtime::RuntimeKind::crun)
          return base::fail(base::ErrorCode::usage,
                            "--runtime '" + options->runtime + "' is neither runc nor crun");
      }
      TK_TRY(const auto opened, open_image(options->image, ImageContent::everything, session));
      std::optional<lock::Lock> lock;
      if (!options->lock.empty()) {
        TK_TRY(lock, read_lock(options->lock));
      }
      TK_CHECK(session.take_cache());
      const verify::VerifyRequest request{opened.layout, opened.image, *level, kind, lock ? &*lock : nullptr};
      TK_TRY(const auto verification, verify::verify(request, session.cache(), session.progress()));
      if (!options->report.empty()) TK_CHECK(sys::write_file(options->report, verification.report));
      session.print(console::verification_text(verification, session.paint()), verification.report);
      return verification.is_reached() ? 0 : 1;
    };
  });
}

}  // namespace torchkiln::cli
