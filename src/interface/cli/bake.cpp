// torchkiln bake: resolve, lock, build, verify and stamp in one go.

#include "foundation/sys/environment.hpp"
#include "interface/cli/commands.hpp"
#include "interface/cli/push.hpp"
#include "interface/cli/signing.hpp"
#include "proof/stamp/check.hpp"
#include "proof/stamp/stamp.hpp"

#include <algorithm>
#include <sys/utsname.h>

#include <fmt/format.h>

namespace torchkiln::cli {

using base::Result;
namespace fs = std::filesystem;

namespace {

struct BakeOptions {
  SpecOptions spec;
  LockOptions lock;
  KeyOptions key;
  std::string output, level;
  std::vector<std::string> push;
};

struct Signer {
  stamp::PrivateKey key;
  std::optional<std::int64_t> valid_for_s;
};

/// A stamp of our own key that already says, of this digest on this machine, what a new run would say.
Result<std::optional<report::TestRun>> proven_before(const oci::Layout& layout, const oci::Image& image,
                                                     report::Level level, const stamp::PrivateKey& key) {
  stamp::Policy policy;
  policy.keys = {key.public_key()};
  policy.level = level;
  TK_TRY(const auto verdict, stamp::check(layout, image, policy, sys::now_s()));
  utsname names = {};
  ::uname(&names);
  for (const auto& proof : verdict.proofs)
    if (proof.run.host.kernel == names.release && proof.run.host.architecture == names.machine)
      return std::optional(proof.run);
  return std::optional<report::TestRun>();
}

/// A path as the user would name it from here.
std::string shown(const fs::path& path) {
  std::error_code ignored;
  const auto from_here = fs::proximate(path, ignored);
  return from_here.empty() || *from_here.begin() == ".." ? path.string() : from_here.string();
}

Result<console::BakedImage> prove(const console::BuiltImage& built, const oci::Layout& layout,
                                  const lock::Lock& lock, report::Level level, const Signer& signer,
                                  Session& session) {
  console::BakedImage baked;
  baked.built = built;
  const auto statements = stamp::statements_path(layout);
  auto report = statements;
  report.replace_extension().replace_extension("." + built.image.tag + ".report.json");  // instead of .intoto.jsonl
  baked.report_file = shown(report);
  baked.statements_file = shown(statements);
  TK_TRY(auto before, proven_before(layout, built.image, level, signer.key));
  std::error_code ignored;
  if (before && fs::exists(baked.report_file, ignored)) {
    baked.run = std::move(*before);
    baked.verified_before = true;
    return baked;
  }
  verify::VerifyRequest request{.layout = layout, .image = built.image, .level = level};
  request.lock = &lock;
  TK_TRY(const auto manifests, session.manifests());
  TK_TRY(request.baselines, verify::read_baselines(manifests / "baselines/gpu.toml"));
  TK_TRY(auto verification, verify::verify(request, session.cache(), session.progress()));
  TK_CHECK(sys::write_file(baked.report_file, verification.report));
  base::Step step(session.progress(), "Stamping", built.image.name);
  const stamp::StampRequest stamping{
      .report = verification.report, .report_file = baked.report_file, .valid_for_s = signer.valid_for_s};
  TK_TRY(const auto stamp, sign(layout, built.image, stamping, &lock, Documents::signed_too, signer.key, session));
  step.end(stamp.referrer.digest.to_string());
  baked.run = std::move(verification.run);
  return baked;
}

/// The level that --level names, or the highest that is proven without a GPU. Without a verifier in it an image can
/// only be looked at.
Result<report::Level> level_to_reach(const std::string& text, const spec::Spec& spec) {
  if (text.empty()) return spec.image.verifier ? report::Level::cpu : report::Level::static_;
  const auto level = report::parse_level(text);
  if (!level || *level == report::Level::none)
    return base::fail(base::ErrorCode::usage,
                      "--level '" + text + "' is none of static, boot, cpu, gpu, multi-gpu");
  if (!spec.image.verifier && *level > report::Level::static_)
    return base::fail(base::ErrorCode::usage,
                      "--level " + text + ": the spec leaves the verifier out, so only level static can be reached",
                      {"leave --level out", "or leave out verifier = false in [image]"});
  return *level;
}

Result<int> bake(const BakeOptions& options, Session& session) {
  const double start_s = sys::monotonic_s();
  TK_TRY(const auto project, load_project(options.spec));
  TK_TRY(const auto level, level_to_reach(options.level, project.spec));
  TK_TRY(const auto targets, parse_push_targets(options.push, project.spec.image.variants.size()));
  TK_TRY(auto outcome, ensure_lock(project, options.lock, session));
  if (const auto* conflict = std::get_if<solver::Conflict>(&outcome)) return tell_conflict(*conflict, session);
  const auto& lock = std::get<lock::Lock>(outcome);
  const auto folder = options.output.empty() ? project.files.layout : fs::path(options.output);
  TK_TRY(const auto built, build_images(project, lock, {folder}, engine::Builder::direct, session));

  TK_TRY(auto key, open_signing_key(options.key));
  TK_TRY(const auto valid_for_s, options.key.valid_for_s());
  const Signer signer{std::move(key), valid_for_s};
  TK_TRY(const auto layout, oci::Layout::open(folder));
  console::BakeSummary summary;
  for (const auto& one : built) {
    TK_TRY(auto baked, prove(one, layout, lock, level, signer, session));
    summary.images.push_back(std::move(baked));
  }
  const bool reached = std::all_of(summary.images.begin(), summary.images.end(),
                                   [&](const console::BakedImage& b) { return b.run.reached >= level; });
  // What does not reach its level stays here.
  for (auto& baked : summary.images)
    if (reached) {
      TK_TRY(baked.built.pushed, push_built(layout, baked.built.image, targets, session));
    }
  summary.program = session.options().program;
  summary.resolution = lock.resolution;
  summary.spec_file = project.files.spec.string();
  summary.lock_file = project.files.lock.string();
  summary.layout = folder.string();
  summary.public_key = stamp::public_path(options.key.path()).string();
  summary.times = session.progress().times();
  summary.seconds = sys::monotonic_s() - start_s;
  session.print(console::bake_text(summary, session.paint()), console::bake_json(summary));
  return reached ? 0 : 1;
}

}  // namespace

void add_bake(CLI::App& program, Action& chosen) {
  auto* command = program.add_subcommand("bake", "Resolve, lock, build, verify and stamp in one go");
  auto options = std::make_shared<BakeOptions>();
  add_spec_options(*command, options->spec);
  add_lock_options(*command, options->lock);
  command->add_option("--output,-o", options->output, "The OCI layout (default: kiln.oci beside the spec)")
      ->type_name("DIR");
  command->add_option("--push", options->push, std::string(k_push_help) + "; only if the level is reached")
      ->type_name("REF")
      ->allow_extra_args(false);
  add_key_options(*command, options->key);
  command
      ->add_option(
          "--level", options->level,
          "Level to verify: static, boot, cpu, gpu or multi-gpu (default: cpu, or static without a verifier)")
      ->type_name("LEVEL");
  command->callback(
      [&chosen, options] { chosen = [options](Session& session) { return bake(*options, session); }; });
}

}  // namespace torchkiln::cli
