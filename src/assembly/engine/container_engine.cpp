#include "assembly/engine/container_engine.hpp"

#include "assembly/engine/image.hpp"
#include "assembly/oci/archive.hpp"
#include "assembly/runtime/engine_command.hpp"
#include "foundation/base/text.hpp"
#include "foundation/sys/environment.hpp"
#include "foundation/sys/process.hpp"

#include <array>

#include <fmt/format.h>

namespace torchkiln::engine {

using base::ErrorCode;
using base::Result;
namespace fs = std::filesystem;

namespace {

constexpr std::array<std::string_view, 4> k_builders{"direct", "docker", "podman", "buildah"};
constexpr double k_build_timeout_s = 3600;
constexpr double k_save_timeout_s = 1800;
/// Where this machine's certificate authorities are, on Debian and on Red Hat's systems.
constexpr std::array k_certificates{"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"};

constexpr std::string_view k_pip_file = "pip.conf";
constexpr std::string_view k_links_file = "pip-links.html";

/// What pip installs from: a page with the address of each wheel, and nothing else. It is a page, since pip asks every
/// address in its configuration what it is, once for every package that it looks for.
constexpr std::string_view k_pip_configuration = "[global]\nno-index = true\nfind-links = /etc/pip-links.html\n";

std::string pip_links(const lock::Lock& lock) {
  std::string text = "<!DOCTYPE html>\n<html><body>\n";
  for (const auto& wheel : lock.wheels) {
    const auto address = base::replace_all(base::replace_all(wheel.url, "&", "&amp;"), "\"", "%22");
    text += fmt::format("<a href=\"{}\">{}</a>\n", address, wheel.file_name);
  }
  return text + "</body></html>\n";
}

bool is_on_loopback(const std::string& url) {
  const auto host = std::string_view(url).substr(std::min(url.find("://") + 3, url.size()));
  return host.starts_with("127.") || host.starts_with("localhost") || host.starts_with("[::1]");
}

/// A server on this machine's loopback is seen only from its own network.
std::string network_of(const lock::Lock& lock) {
  for (const auto& wheel : lock.wheels)
    if (is_on_loopback(wheel.url)) return "host";
  return {};
}

std::optional<fs::path> certificates() {
  if (const auto named = sys::environment("SSL_CERT_FILE")) return fs::path(*named);
  std::error_code ignored;
  for (const auto* file : k_certificates)
    if (fs::exists(file, ignored)) return fs::path(file);
  return std::nullopt;
}

/// What curl, uv and pip ask for an index's user and password.
std::optional<fs::path> index_passwords() {
  const auto file = sys::home_directory() / ".netrc";
  std::error_code ignored;
  if (!fs::exists(file, ignored)) return std::nullopt;
  return file;
}

/// Arguments of podman and buildah that this host needs: runtime::podman_quirks() with "--runtime" before the
/// subcommand, where podman takes it.
struct Quirks {
  std::vector<std::string> global, build;
};
Quirks quirks_of(Builder builder) {
  Quirks quirks;
  if (builder == Builder::docker) return quirks;
  const auto all = runtime::podman_quirks();
  for (std::size_t i = 0; i + 1 < all.size(); i += 2) {
    auto& list = all[i] == "--runtime" && builder == Builder::podman ? quirks.global : quirks.build;
    list.insert(list.end(), {all[i], all[i + 1]});
  }
  return quirks;
}

Result<void> run_build(Builder builder, const lock::Lock& lock, const recipe::Recipe& recipe,
                       const fs::path& context, const fs::path& secrets, base::Step& step) {
  const auto quirks = quirks_of(builder);
  sys::Command command;
  command.arguments = {std::string(name(builder))};
  const auto add = [&](std::vector<std::string> more) {
    command.arguments.insert(command.arguments.end(), more.begin(), more.end());
  };
  add(quirks.global);
  add({"build"});
  add(quirks.build);
  if (builder == Builder::docker) add({"--progress", "plain"});
  // podman and buildah: the image of the recipe's stages alone, each a layer that the next build finds again;
  // "docker" keeps the health check.
  if (builder != Builder::docker) add({"--layers", "--format", "docker"});
  if (const auto network = network_of(lock); !network.empty()) add({"--network", network});
  add({"--secret", "id=pip_conf,src=" + (secrets / k_pip_file).string()});
  add({"--secret", "id=pip_links,src=" + (secrets / k_links_file).string()});
  if (const auto file = index_passwords()) add({"--secret", "id=netrc,src=" + file->string()});
  if (const auto file = certificates()) add({"--secret", "id=ca_certificates,src=" + file->string()});
  add({"--tag", recipe.reference, context.string()});
  command.environment = sys::current_environment();
  if (builder == Builder::docker) (*command.environment)["DOCKER_BUILDKIT"] = "1";
  command.timeout_s = k_build_timeout_s;
  command.on_line = [&step](std::string_view line) { step.output(line); };
  auto done = sys::run_checked(command);
  if (done) return {};
  auto error = std::move(done).error();
  if (error.code == ErrorCode::tool_missing)
    error.hints.push_back(
        fmt::format("install {}, or build with --engine direct, which needs none", name(builder)));
  for (const auto& note : error.notes)
    if (note.find("buildx component is missing") != std::string::npos)
      error.hints.emplace_back("this docker has no BuildKit: install docker-buildx, or Debian's docker.io");
  return base::fail(std::move(error));
}

/// Uncompressed, as the engine's store has them: to compress them again would take longer than the build.
std::vector<std::string> save_command(Builder builder, const std::string& reference, const fs::path& archive) {
  switch (builder) {
    case Builder::direct:
      break;
    case Builder::docker:
      return {"docker", "save", "--output", archive.string(), reference};
    case Builder::podman:
      return {"podman", "save", "--quiet", "--format", "docker-archive", "--output", archive.string(), reference};
    case Builder::buildah:
      return {"buildah", "push", "--quiet", reference, "docker-archive:" + archive.string()};
  }
  TK_ASSERT(false, "the direct engine has no store of its own");
}

/// The layers of an image in the engine's store.
Result<StackedLayers> take_layers(Builder builder, const std::string& reference, const oci::Layout& layout,
                                  const fs::path& work) {
  const auto archive = work / "image.tar";
  sys::Command command;
  command.arguments = save_command(builder, reference, archive);
  command.timeout_s = k_save_timeout_s;
  TK_CHECK(sys::run_checked(command));
  TK_TRY(const auto taken, oci::Layout::create(work / "image"));
  TK_CHECK(oci::read_archive(archive, taken));
  TK_TRY(const auto image, taken.find_image(std::nullopt));
  TK_TRY(const auto manifest, taken.read_manifest(image.descriptor));
  TK_TRY(const auto config, taken.read_config(manifest));
  StackedLayers layers;
  layers.diff_ids = config.diff_ids;
  for (const auto& layer : manifest.layers) {
    TK_TRY(auto descriptor, layout.add_file(taken.blob_path(layer.digest), layer.digest, layer.media_type,
                                            oci::Trust::digest_as_given));
    layers.descriptors.push_back(std::move(descriptor));
  }
  for (const auto& entry : config.history)
    if (entry.kind == oci::HistoryKind::layer) layers.made_by.push_back(entry.created_by);
  return layers;
}

}  // namespace

std::string_view name(Builder builder) {
  return k_builders[static_cast<std::size_t>(builder)];
}

std::optional<Builder> parse_builder(std::string_view text) {
  for (std::size_t i = 0; i < k_builders.size(); ++i)
    if (k_builders[i] == text) return static_cast<Builder>(i);
  return std::nullopt;
}

Result<oci::Image> build_context(Builder builder, const lock::Lock& lock, const recipe::Recipe& recipe,
                                 const fs::path& context, const oci::Layout& layout, const Cache& cache,
                                 base::Progress& progress) {
  TK_ASSERT(builder != Builder::direct, "the direct engine needs no context");
  TK_TRY(const auto folder, sys::TemporaryDirectory::create(cache.work(), "engine-"));
  TK_CHECK(sys::write_file(folder.path() / k_pip_file, k_pip_configuration, 0600));
  TK_CHECK(sys::write_file(folder.path() / k_links_file, pip_links(lock), 0600));
  base::Step step(progress, "Building", fmt::format("{} with {}", recipe.reference, name(builder)));
  TK_CHECK(run_build(builder, lock, recipe, context, folder.path(), step));
  TK_TRY(auto layers, take_layers(builder, recipe.reference, layout, folder.path()));
  step.end(fmt::format("{} layers", layers.descriptors.size()));
  TK_TRY(auto image, put_image(lock, recipe, std::move(layers), layout));
  return image;
}

}  // namespace torchkiln::engine
