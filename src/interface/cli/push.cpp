// torchkiln push: images into registries.

#include "interface/cli/push.hpp"

#include "assembly/registry/push.hpp"
#include "assembly/registry/recent.hpp"
#include "foundation/sys/environment.hpp"
#include "interface/cli/commands.hpp"
#include "interface/console/registry_documents.hpp"
#include "proof/stamp/attestation_tag.hpp"

#include <algorithm>
#include <iterator>

namespace torchkiln::cli {

using base::ErrorCode;
using base::fail;
using base::Result;

namespace {

struct PushOptions {
  std::string image;
  std::vector<std::string> references, also, mount_from;
  bool index = false;
};

/// The image's own tag, as a registry takes it: "2.8" of "team/pytorch:2.8".
std::string own_tag(const oci::Image& image) {
  const auto& name = image.tag.empty() ? image.name : image.tag;
  const auto colon = name.rfind(':');
  return colon == std::string::npos ? name : name.substr(colon + 1);
}

Result<void> expect_own_tags(const oci::RegistryReference& target, std::size_t images) {
  if (!target.tag || images < 2) return {};
  return fail(ErrorCode::usage, "one tag cannot name " + std::to_string(images) + " images: '" + *target.tag + "'",
              {"leave it out, and each keeps its own tag; or name one image: oci:DIR:TAG; --index puts an index of "
               "all under it"});
}

/// The images that IMAGE means: of a layout without a tag all that it names.
Result<std::vector<OpenedImage>> open_all(const std::string& text, Session& session) {
  std::vector<OpenedImage> opened;
  TK_TRY(const auto reference, oci::parse_reference(text));
  const auto* in_layout = std::get_if<oci::LayoutReference>(&reference);
  if (!in_layout || in_layout->image) {
    TK_TRY(auto one, open_image(text, ImageContent::everything, session));
    opened.push_back(std::move(one));
    return opened;
  }
  TK_TRY(const auto layout, oci::Layout::open(in_layout->directory));
  TK_TRY(const auto images, layout.images());
  for (const auto& image : images)
    if (!own_tag(image).empty()) opened.push_back({layout, image, reference, std::nullopt});
  if (!opened.empty()) return opened;
  TK_TRY(auto one, open_image(text, ImageContent::everything, session));  // or says what is wrong
  opened.push_back(std::move(one));
  return opened;
}

/// What this machine remembers of registries.
std::filesystem::path memory_of_registries(Session& session) { return session.cache().root() / "registries"; }

/// The push is done whether this works or not.
void remember(const oci::RegistryReference& target, Session& session) {
  const auto noted = registry::note_repository(memory_of_registries(session), target.host, target.repository);
  if (!noted) session.progress().warn(noted.error().message);
}

/// Repositories of the target's registry that have blobs of the image, or may have them.
std::vector<std::string> likely_sources(const oci::RegistryReference& target, const OpenedImage& opened,
                                        const std::vector<oci::RegistryReference>& earlier,
                                        const std::vector<std::string>& named, Session& session) {
  std::vector<std::string> sources;
  const auto add = [&](const std::string& repository) {
    if (repository != target.repository && std::find(sources.begin(), sources.end(), repository) == sources.end())
      sources.push_back(repository);
  };
  if (const auto* origin = std::get_if<oci::RegistryReference>(&opened.reference);
      origin && origin->host == target.host)
    add(origin->repository);
  for (const auto& one : earlier)
    if (one.host == target.host) add(one.repository);
  for (const auto& one : named) add(one);
  for (const auto& one : registry::recent_repositories(memory_of_registries(session), target.host)) add(one);
  return sources;
}

/// The image's stamps, where verifiers look that know nothing of referrers.
Result<void> push_attestations(const OpenedImage& opened, const registry::Repository& repository, Session& session) {
  if (oci::is_index_type(opened.image.descriptor.media_type)) return {};  // stamps are about images
  TK_CHECK(session.cache().prepare());
  return stamp::push_attestation_tag(opened.layout, opened.image, repository, session.cache().work());
}

/// One tag for images of several platforms or variants.
Result<registry::Pushed> push_index(const std::vector<OpenedImage>& images, const oci::RegistryReference& target,
                                    const std::vector<std::string>& from, Session& session) {
  if (!target.tag)
    return fail(ErrorCode::usage, "'" + target.host + "/" + target.repository + "' has no tag",
                {"an index needs one: HOST/REPO:TAG"});
  TK_TRY(const auto repository, session.registries().repository(target));
  std::vector<registry::IndexedImage> parts;
  for (const auto& opened : images) parts.push_back({&opened.layout, &opened.image});
  TK_TRY(auto pushed, registry::push_index(parts, repository, *target.tag, from, session.progress()));
  for (const auto& opened : images) TK_CHECK(push_attestations(opened, repository, session));
  remember(target, session);
  return pushed;
}

Result<int> run_push(const PushOptions& options, Session& session) {
  const double start_s = sys::monotonic_s();
  TK_TRY(const auto targets, parse_push_targets(options.references, 1));
  TK_TRY(auto images, open_all(options.image, session));
  for (const auto& text : options.also) {
    TK_TRY(auto more, open_all(text, session));
    std::move(more.begin(), more.end(), std::back_inserter(images));
  }
  console::PushSummary summary;
  std::vector<oci::RegistryReference> earlier;
  for (const auto& target : targets) {
    const auto from = likely_sources(target, images.front(), earlier, options.mount_from, session);
    if (options.also.empty() && !options.index) {
      TK_TRY(auto pushed, push_images(images, target, from, session));
      summary.pushed.insert(summary.pushed.end(), pushed.begin(), pushed.end());
    } else {
      TK_TRY(auto pushed, push_index(images, target, from, session));
      summary.pushed.push_back(std::move(pushed));
    }
    earlier.push_back(target);
  }
  summary.seconds = sys::monotonic_s() - start_s;
  session.print(console::push_text(summary, session.paint()), console::push_json(summary));
  return 0;
}

}  // namespace

Result<std::vector<registry::Pushed>> push_images(const std::vector<OpenedImage>& images,
                                                  const oci::RegistryReference& target,
                                                  const std::vector<std::string>& from, Session& session) {
  TK_CHECK(expect_own_tags(target, images.size()));
  TK_TRY(const auto repository, session.registries().repository(target));
  std::vector<registry::Pushed> all;
  for (const auto& opened : images) {
    const auto tag = target.tag.value_or(own_tag(opened.image));
    // What it is called in the layout need not be a tag.
    if (!oci::parse_repository(target.host + "/" + target.repository + ":" + tag))
      return fail(ErrorCode::usage, "the image has no tag that a registry takes: '" + tag + "'",
                  {"give one: HOST/REPO:TAG"});
    TK_TRY(auto pushed, registry::push(opened.layout, opened.image, repository, tag, from, session.progress()));
    TK_CHECK(push_attestations(opened, repository, session));
    all.push_back(std::move(pushed));
  }
  remember(target, session);
  return all;
}

Result<std::vector<oci::RegistryReference>> parse_push_targets(const std::vector<std::string>& texts,
                                                               std::size_t images) {
  std::vector<oci::RegistryReference> targets;
  for (const auto& text : texts) {
    TK_TRY(auto target, oci::parse_repository(text));
    TK_CHECK(expect_own_tags(target, images));
    targets.push_back(std::move(target));
  }
  return targets;
}

Result<std::vector<std::string>> push_built(const oci::Layout& layout, const oci::Image& image,
                                            const std::vector<oci::RegistryReference>& targets, Session& session) {
  std::vector<OpenedImage> images;
  images.push_back({layout, image, oci::LayoutReference{layout.directory(), image.tag}, std::nullopt});
  std::vector<std::string> references;
  std::vector<oci::RegistryReference> earlier;
  for (const auto& target : targets) {
    TK_TRY(const auto pushed,
           push_images(images, target, likely_sources(target, images.front(), earlier, {}, session), session));
    references.push_back(pushed.front().reference);
    earlier.push_back(target);
  }
  return references;
}

void add_push(CLI::App& program, Action& chosen) {
  auto* command = program.add_subcommand("push", "Send images and their stamps to a registry");
  auto options = std::make_shared<PushOptions>();
  command->add_option("image", options->image, std::string(k_image_forms) + "; oci:DIR alone means all its images")
      ->required()
      ->type_name("IMAGE");
  command
      ->add_option("reference", options->references,
                   "Where to: HOST/REPO:TAG, or HOST/REPO for the tags that the images have")
      ->required()
      ->type_name("REF...");
  command
      ->add_option(
          "--and", options->also,
          "The same for another platform, or another variant: the tag names an index of all; may be repeated")
      ->type_name("IMAGE")
      ->allow_extra_args(false);
  command->add_flag("--index", options->index,
                    "The tag names an index of all images of the layout, whose variants it tells apart");
  command
      ->add_option("--mount-from", options->mount_from,
                   "A repository of the same registry that may have layers already; may be repeated")
      ->type_name("REPO")
      ->allow_extra_args(false);
  command->callback(
      [&chosen, options] { chosen = [options](Session& session) { return run_push(*options, session); }; });
}

}  // namespace torchkiln::cli
