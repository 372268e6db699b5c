// torchkiln pull: an image out of a registry into a layout, or into the cache.

#include "assembly/registry/pull.hpp"

#include "foundation/sys/environment.hpp"
#include "interface/cli/commands.hpp"
#include "interface/cli/open_image.hpp"
#include "interface/console/registry_documents.hpp"

namespace torchkiln::cli {

using base::Result;
namespace fs = std::filesystem;

namespace {

struct PullOptions {
  std::string reference, output, platform, variant;
};

Result<int> run_pull(const PullOptions& options, Session& session) {
  const double start_s = sys::monotonic_s();
  TK_TRY(const auto reference, oci::parse_reference(options.reference));
  const auto* in_registry = std::get_if<oci::RegistryReference>(&reference);
  if (!in_registry)
    return base::fail(base::ErrorCode::usage, "'" + options.reference + "' is in no registry",
                      {"give HOST/REPO:TAG or HOST/REPO@sha256:..."});
  registry::PullRequest request{.reference = *in_registry, .platform = oci::this_platform()};
  if (!options.platform.empty()) {
    TK_TRY(request.platform, oci::parse_platform(options.platform));
  }
  request.variant = options.variant;
  const auto& known = session.cache().blobs();
  if (!options.output.empty()) request.known = &known;
  // Before anything is fetched: a folder that is something else would be in the way only at the end.
  std::optional<PassingLayout> passing;
  std::optional<oci::Layout> layout;
  if (options.output.empty()) {
    TK_TRY(auto made, make_passing_layout(session));
    passing.emplace(std::move(made));
  } else {
    TK_TRY(layout, oci::Layout::create(options.output));
  }
  const auto& target = layout ? *layout : passing->layout;
  TK_TRY(const auto sources, session.registries().sources(*in_registry, session.progress()));
  console::PullSummary summary;
  TK_TRY(summary.pulled, registry::pull(request, sources, target, session.progress()));
  auto& image = summary.pulled.image;
  // What has no tag is called by its digest, by a name that every tool takes for a tag.
  if (image.tag.empty()) image.tag = "sha256-" + image.descriptor.digest.hex();
  TK_CHECK(target.name_image(image));
  summary.reference = options.reference;
  summary.layout = options.output;
  summary.seconds = sys::monotonic_s() - start_s;
  session.print(console::pull_text(summary, session.paint()), console::pull_json(summary));
  return 0;
}

}  // namespace

void add_pull(CLI::App& program, Action& chosen) {
  auto* command = program.add_subcommand("pull", "Fetch an image and its stamps from a registry");
  auto options = std::make_shared<PullOptions>();
  command->add_option("reference", options->reference, "HOST/REPO:TAG or HOST/REPO@sha256:...")
      ->required()
      ->type_name("REF");
  command->add_option("--output,-o", options->output, "The OCI layout to put it into (default: only the cache)")
      ->type_name("DIR");
  command
      ->add_option("--platform", options->platform,
                   "Of an image for several platforms this one, for example linux/arm64 (default: this machine's)")
      ->type_name("OS/ARCH");
  command
      ->add_option("--variant", options->variant,
                   "Of an index of a family's images this one, for example jupyter (default: the first)")
      ->type_name("VARIANT");
  command->callback(
      [&chosen, options] { chosen = [options](Session& session) { return run_pull(*options, session); }; });
}

}  // namespace torchkiln::cli
