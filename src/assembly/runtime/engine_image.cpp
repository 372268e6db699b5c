#include "assembly/runtime/engine_image.hpp"

#include "assembly/oci/archive.hpp"
#include "assembly/runtime/engine_command.hpp"
#include "foundation/base/text.hpp"
#include "foundation/sys/files.hpp"
#include "foundation/sys/process.hpp"

#include <fcntl.h>

namespace torchkiln::runtime {

using base::Result;
namespace fs = std::filesystem;

namespace {

/// The client's command for `arguments`, with what this host's podman needs.
sys::Command client(const oci::EngineReference& reference, std::vector<std::string> arguments) {
  sys::Command command;
  command.arguments = {reference.engine == oci::Engine::docker ? "docker" : "podman", "image"};
  command.arguments.insert(command.arguments.end(), arguments.begin(), arguments.end());
  command.arguments.push_back(reference.name);
  return command;
}

/// "a:latest" and "host/a@sha256:…" as a name inside a layout.
std::string tag_of(const oci::EngineReference& reference) {
  return base::replace_all(reference.name, "://", "/");
}

}  // namespace

Result<oci::Image> inspect_engine_image(const oci::EngineReference& reference, const oci::Layout& layout) {
  TK_TRY(const auto said, sys::run_checked(client(reference, {"inspect", "--format", "{{json .}}"})));
  const auto place = oci::to_string(oci::ImageReference(reference));
  TK_TRY(const auto image, document::JsonValue::parse(said.output, place));
  TK_TRY(const auto architecture, image.member("Architecture"));
  TK_TRY(const auto os, image.member("Os"));
  document::Json config = {{"architecture", architecture.json()}, {"os", os.json()}};
  // The engine's "Config" has image-spec's members: image-spec took them over.
  TK_TRY(const auto defaults, image.find("Config"));
  config["config"] = defaults ? document::Json(defaults->json()) : document::Json::object();
  config["rootfs"] = {{"type", "layers"}, {"diff_ids", document::Json::array()}};
  TK_TRY(const auto config_bytes, document::to_bytes(config));
  oci::Manifest manifest;
  TK_TRY(manifest.config, layout.add_bytes(config_bytes, oci::k_config_type));
  TK_TRY(const auto bytes, oci::to_bytes(manifest));
  TK_TRY(const auto descriptor, layout.add_bytes(bytes, oci::k_manifest_type));
  return oci::Image{descriptor, tag_of(reference), reference.name};
}

Result<oci::Image> save_engine_image(const oci::EngineReference& reference, const oci::Layout& layout,
                                     const fs::path& scratch) {
  TK_TRY(const auto folder, sys::TemporaryDirectory::create(scratch, "saved-"));
  const auto file = folder.path() / "image.tar";
  TK_TRY(const auto fd, sys::open_file(file, O_WRONLY | O_CREAT | O_EXCL, 0600));
  auto command = reference.engine == oci::Engine::docker ? client(reference, {"save"})
                                                         : client(reference, {"save", "--format", "oci-archive"});
  command.output_fd = fd.get();
  TK_CHECK(sys::run_checked(command));
  TK_CHECK(oci::read_archive(file, layout));
  TK_TRY(auto image, layout.find_image(std::nullopt));
  image.name = reference.name;
  return image;
}

}  // namespace torchkiln::runtime
