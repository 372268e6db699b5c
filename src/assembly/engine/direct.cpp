#include "assembly/engine/direct.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>

namespace torchkiln::engine {

using base::Result;
namespace fs = std::filesystem;

const std::map<std::string, std::string>& ImageLayers::account_files(std::size_t extension) const {
  for (std::size_t i = std::min(extension, extensions.size()); i > 0; --i)
    if (const auto& packages = extensions[i - 1].packages) return packages->files;
  for (auto part = parts.rbegin(); part != parts.rend(); ++part)
    if (part->packages) return part->packages->files;
  return system.files;
}

std::vector<base::Digest> ImageLayers::wheel_diff_ids() const {
  std::vector<base::Digest> diff_ids;
  for (const auto& layer : wheels) diff_ids.push_back(layer.facts.diff_id);
  return diff_ids;
}

std::vector<ReadyLayer> ImageLayers::below_parts(const std::string& os) const {
  auto all = image;
  if (image.empty()) all.push_back({system.layer, fmt::format("torchkiln system {}", os)});
  if (system_packages) all.push_back({system_packages->layer, fmt::format("torchkiln packages of {}", os)});
  if (python) all.push_back(*python);
  all.insert(all.end(), wheels.begin(), wheels.end());
  return all;
}

std::vector<ReadyLayer> ImageLayers::in_order(const recipe::Recipe& recipe, const std::string& os) const {
  auto all = below_parts(os);
  if (bytecode) all.push_back(*bytecode);
  if (verifier) all.push_back(*verifier);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].packages)
      all.push_back({parts[i].packages->layer, fmt::format("torchkiln packages {}", name(recipe.parts[i].part))});
    if (parts[i].archives) all.push_back(*parts[i].archives);
    all.insert(all.end(), parts[i].wheels.begin(), parts[i].wheels.end());
  }
  for (const auto& extension : extensions) {
    if (extension.configuration) all.push_back(*extension.configuration);
    if (extension.packages) all.push_back({extension.packages->layer, "torchkiln packages of the extension"});
    all.insert(all.end(), extension.wheels.begin(), extension.wheels.end());
  }
  return all;
}

Result<std::vector<ImageLayers>> make_debian_layers(const lock::Lock& lock, std::vector<recipe::Recipe> recipes,
                                                    BuildRoot build_root, const Cache& cache, sys::HttpClient& http,
                                                    base::Progress& progress) {
  for (auto& recipe : recipes) {
    recipe.wheel_layers.clear();
    for (auto& part : recipe.parts) part.wheel_layers.clear();
    for (auto& extension : recipe.extensions) extension.wheel_layers.clear();
  }
  return make_layers({.lock = lock, .recipes = recipes, .build_root = build_root}, cache, http, progress);
}

Result<fs::path> fetch_wheel(const lock::LockedWheel& wheel, const Cache& cache, sys::HttpClient& http) {
  const auto path = cache.blobs().path(wheel.digest);
  TK_TRY(const bool whole, cache.blobs().contains_whole(wheel.digest));
  if (whole) return path;
  const sys::Download download{wheel.url, path, wheel.digest,
                               wheel.size_bytes ? std::optional(wheel.size_bytes) : std::nullopt};
  TK_CHECK(http.download_all(
      std::span(&download, 1), [](std::size_t) { return Result<void>(); }, [](std::uint64_t) {}));
  return path;
}

Result<layer::LayerFacts> make_file_layer(std::vector<recipe::AddedFile> files, std::int64_t time_s,
                                          const sys::BlobStore& store) {
  std::sort(files.begin(), files.end(),
            [](const recipe::AddedFile& a, const recipe::AddedFile& b) { return a.path < b.path; });
  std::set<std::string> folders = {""};
  for (std::size_t i = 0; i < files.size(); ++i) {
    const auto& path = files[i].path;
    TK_ASSERT(i == 0 || files[i - 1].path != path, "a path is in a layer once");
    TK_ASSERT(folders.count(path.substr(0, path.find('/') == std::string::npos ? 0 : path.rfind('/'))),
              "a file comes after its folder");
    if (files[i].type == recipe::FileType::directory) folders.insert(path);
  }
  TK_TRY(auto writer, layer::LayerWriter::create(store));
  for (const auto& file : files) {
    layer::TarHeader header{file.path, layer::TarType::file, file.mode, file.uid,
                            file.gid,  file.content.size(),  time_s,    {}};
    switch (file.type) {
      case recipe::FileType::directory:
        TK_CHECK(writer.add_directory(file.path, file.mode, file.uid, file.gid, time_s));
        break;
      case recipe::FileType::symlink:
        TK_CHECK(writer.add_symlink(file.path, file.content, time_s));
        break;
      case recipe::FileType::file:
        TK_CHECK(writer.add_file(header, file.content));
        break;
    }
  }
  return writer.finish();
}

Result<ReadyLayer> make_configuration_layer(const lock::Lock& lock, const recipe::Recipe& recipe,
                                            const ImageLayers& layers, const std::vector<recipe::AddedFile>& own,
                                            const Cache& cache) {
  TK_TRY(auto files,
         recipe::configuration_files(lock, recipe, layers.account_files(recipe.extensions.size()), own));
  TK_TRY(const auto facts, make_file_layer(std::move(files), layer::k_layer_time_s, cache.blobs()));
  return ReadyLayer{facts, fmt::format("torchkiln configuration {}", name(recipe.variant))};
}

Result<void> add_configuration_layers_below(const lock::Lock& lock, spec::Variant variant,
                                            std::optional<std::int64_t> created_s, const fs::path& images,
                                            const Cache& cache, ImageLayers& layers) {
  const auto* level = lock.below.get();
  for (auto extension = layers.extensions.rbegin(); extension != layers.extensions.rend(); ++extension) {
    TK_ASSERT(level, "every extension is on top of a lock");
    // Another user's home and entries would stay behind.
    if (level->user == lock.user) {
      const auto recipe = recipe::make_recipe(*level, variant, created_s);
      TK_TRY(const auto own, recipe::own_files(images, *level, recipe));
      TK_TRY(extension->configuration, make_configuration_layer(*level, recipe, layers, own, cache));
    }
    level = level->below.get();
  }
  return {};
}

void record_layers(lock::Lock& lock, const recipe::Recipe& recipe, const ImageLayers& layers) {
  const auto locked = [](const layer::LayerFacts& facts) {
    return lock::LockedLayer{facts.digest, facts.diff_id, facts.size_bytes, facts.unpacked_bytes};
  };
  const auto record = [&lock, &locked](const recipe::WheelLayers& plan, const std::vector<ReadyLayer>& ready) {
    for (std::size_t i = 0; i < plan.size(); ++i)
      for (const auto wheel : plan[i]) lock.wheels[wheel].layer = locked(ready[i].facts);
  };
  record(recipe.wheel_layers, layers.wheels);
  for (std::size_t i = 0; i < recipe.parts.size(); ++i)
    record(recipe.parts[i].wheel_layers, layers.parts[i].wheels);
  for (std::size_t i = 0; i < recipe.extensions.size(); ++i)
    record(recipe.extensions[i].wheel_layers, layers.extensions[i].wheels);
  if (layers.bytecode) lock.bytecode = locked(layers.bytecode->facts);
}

}  // namespace torchkiln::engine
