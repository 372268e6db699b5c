// torchkiln inspect: what an image is and consists of; torchkiln diff: what it costs to have another instead.

#include "assembly/layer/layer_writer.hpp"
#include "assembly/oci/contents.hpp"
#include "interface/cli/commands.hpp"
#include "interface/cli/open_image.hpp"
#include "interface/console/contents_documents.hpp"

#include <set>

namespace torchkiln::cli {

using base::Result;

namespace {

Result<int> inspect(const std::string& reference, Session& session) {
  console::Inspection inspection;
  inspection.reference = reference;
  TK_TRY(const auto opened, open_image(reference, ImageContent::stamps, session));
  inspection.image = opened.image;
  TK_TRY(inspection.contents, oci::read_contents(opened.layout, opened.image));
  TK_TRY(auto referrers, opened.layout.referrers(opened.image.descriptor.digest));
  inspection.referrers = std::move(referrers.found);
  session.print(console::inspection_text(inspection, session.paint()), console::inspection_json(inspection));
  return 0;
}

Result<console::ComparedImage> lock_layers(const std::string& file) {
  console::ComparedImage compared;
  compared.reference = file;
  compared.is_lock = true;
  TK_TRY(const auto lock, read_lock(file));
  std::set<base::Digest> seen;
  for (const auto& wheel : lock.wheels) {
    if (!wheel.layer)
      return base::fail_at(base::ErrorCode::lock_invalid, {file, 0, 0},
                           "does not know the layer of " + wheel.name + " " + wheel.version,
                           {"torchkiln build notes the layers in the lock"});
    if (!seen.insert(wheel.layer->digest).second) continue;  // small wheels lie together in one
    compared.layers.push_back(
        {{std::string(layer::k_layer_media_type), wheel.layer->digest, wheel.layer->size_bytes},
         wheel.layer->diff_id,
         "wheel " + wheel.name + " " + wheel.version});
  }
  return compared;
}

Result<console::ComparedImage> image_layers(const std::string& reference, Session& session) {
  TK_TRY(const auto opened, open_image(reference, ImageContent::documents, session));
  TK_TRY(auto contents, oci::read_contents(opened.layout, opened.image));
  return console::ComparedImage{reference, std::move(contents.layers), contents.documents_bytes, false};
}

Result<int> compare(const std::string& has, const std::string& gets, Session& session) {
  const auto read = [&](const std::string& text) {
    return is_lock(text) ? lock_layers(text) : image_layers(text, session);
  };
  console::Comparison comparison;
  TK_TRY(comparison.has, read(has));
  TK_TRY(comparison.gets, read(gets));
  comparison.difference = oci::compare(comparison.has.layers, comparison.gets.layers);
  session.print(console::comparison_text(comparison, session.paint()), console::comparison_json(comparison));
  return 0;
}

}  // namespace

void add_inspect(CLI::App& program, Action& chosen) {
  auto* command = program.add_subcommand("inspect", "Show an image's versions, layers and stamps");
  auto reference = std::make_shared<std::string>();
  command->add_option("image", *reference, k_image_forms)->required()->type_name("IMAGE");
  command->callback(
      [&chosen, reference] { chosen = [reference](Session& session) { return inspect(*reference, session); }; });
}

void add_diff(CLI::App& program, Action& chosen) {
  auto* command = program.add_subcommand("diff", "Say what a node that has one image pulls to get another");
  auto has = std::make_shared<std::string>();
  auto gets = std::make_shared<std::string>();
  command->add_option("has", *has, "The image that is there, or a lock whose layers are known")
      ->required()
      ->type_name("IMAGE|kiln.lock");
  command->add_option("gets", *gets, "The image, or lock, to get")->required()->type_name("IMAGE|kiln.lock");
  command->callback(
      [&chosen, has, gets] { chosen = [has, gets](Session& session) { return compare(*has, *gets, session); }; });
}

}  // namespace torchkiln::cli
