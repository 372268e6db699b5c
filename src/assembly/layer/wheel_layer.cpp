#include "assembly/layer/wheel_layer.hpp"

#include "foundation/sys/interrupt.hpp"

#include <algorithm>
#include <map>
#include <vector>

namespace torchkiln::layer {

using base::Result;

Pythons pythons_of(std::span<const wheel::Wheel> wheels) {
  return std::all_of(wheels.begin(), wheels.end(), wheel::is_version_free) ? Pythons::every : Pythons::one;
}

std::string wheel_layer_key(std::span<const base::Digest> wheels, const wheel::InstallScheme& scheme,
                            Pythons pythons) {
  std::vector<std::string> sorted;
  for (const auto& digest : wheels) sorted.push_back(digest.hex());
  std::sort(sorted.begin(), sorted.end());
  base::Sha256 hasher;
  hasher.update(k_wheel_layer_recipe);
  for (const auto& part : {scheme.prefix, pythons == Pythons::one ? scheme.python_version : std::string("every")})
    hasher.update("\n" + part);
  for (const auto& hex : sorted) hasher.update("\n" + hex);
  return hasher.finish().hex();
}

namespace {

/// Emits the folders above `path` that were not emitted yet.
Result<void> add_parents(LayerWriter& writer, std::string_view path, std::string& last_folder) {
  const auto folder = path.substr(0, path.rfind('/') + 1);
  std::size_t common = 0;
  for (std::size_t i = 0; i < folder.size() && i < last_folder.size() && folder[i] == last_folder[i]; ++i)
    if (folder[i] == '/') common = i + 1;
  for (auto slash = folder.find('/', common); slash != std::string_view::npos; slash = folder.find('/', slash + 1))
    TK_CHECK(writer.add_directory(folder.substr(0, slash + 1)));
  last_folder = folder;
  return {};
}

struct PlannedFile {
  const wheel::Wheel* wheel;
  wheel::InstalledFile file;
};

Result<void> add_planned_file(LayerWriter& writer, const PlannedFile& planned) {
  const auto* owner = planned.wheel;
  const auto& file = planned.file;
  TarHeader header;
  header.path = file.path;
  header.mode = file.is_executable ? 0755 : 0644;
  if (!file.entry) {
    header.size_bytes = file.content.size();
    return writer.add_file(header, file.content);
  }
  header.size_bytes = file.entry->size_bytes;
  if (file.entry->method == wheel::ZipMethod::stored || file.entry->size_bytes == 0) {
    TK_TRY(const auto content, owner->content(*file.entry));
    return writer.add_file(header, content);
  }
  TK_TRY(const auto deflated, owner->compressed(*file.entry));
  const DeflatedContent content{deflated, file.entry->crc32,
                                [owner](std::span<const std::byte> piece) { owner->forget(piece); }};
  if (auto added = writer.add_deflated_file(header, content); !added) {
    added.error().message = owner->file_name() + ": " + added.error().message;
    return base::fail(std::move(added).error());
  }
  return {};
}

/// Sorted with a "/" below every other character, so that a folder's content follows it at once.
struct FolderOrder {
  bool operator()(const std::string& a, const std::string& b) const {
    return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
      const int left = x == '/' ? 0 : static_cast<unsigned char>(x),
                right = y == '/' ? 0 : static_cast<unsigned char>(y);
      return left < right;
    });
  }
};
using PlannedFiles = std::map<std::string, PlannedFile, FolderOrder>;

/// The files of all wheels. What several have with equal bytes is the first one's, in the order of file names.
Result<PlannedFiles> plan_files(std::span<const wheel::Wheel> wheels, const wheel::InstallScheme& scheme) {
  std::vector<const wheel::Wheel*> by_name;
  for (const auto& one : wheels) by_name.push_back(&one);
  std::sort(by_name.begin(), by_name.end(),
            [](const wheel::Wheel* a, const wheel::Wheel* b) { return a->file_name() < b->file_name(); });
  const auto conflict = [](const PlannedFile& a, const wheel::Wheel& b, const std::string& path) {
    return base::fail(base::ErrorCode::package_conflict,
                      a.wheel->file_name() + " and " + b.file_name() + " both make /" + path);
  };
  PlannedFiles files;
  for (const auto* one : by_name) {
    TK_TRY(auto plan, wheel::plan_install(*one, scheme));
    for (auto& file : plan) {
      const auto path = file.path;
      const bool from_wheel = file.entry != nullptr, is_executable = file.is_executable;
      const auto [at, is_new] = files.emplace(path, PlannedFile{one, std::move(file)});
      if (is_new) continue;
      // Two entries have equal bytes: check_conflicts saw to that. What we make ourselves nobody compared.
      if (!from_wheel || !at->second.file.entry) return conflict(at->second, *one, path);
      at->second.file.is_executable = at->second.file.is_executable || is_executable;
    }
  }
  for (const auto& [path, planned] : files)
    for (auto slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1))
      if (const auto file = files.find(path.substr(0, slash)); file != files.end())
        return conflict(file->second, *planned.wheel, file->first);
  return files;
}

Result<PlannedFiles> plan_layer(std::span<const wheel::Wheel> wheels, const wheel::InstallScheme& scheme) {
  std::vector<wheel::WheelContents> contents;
  for (const auto& one : wheels) contents.push_back({one.file_name(), one.entries()});
  TK_CHECK(wheel::check_conflicts(contents, scheme));
  return plan_files(wheels, scheme);
}

Result<void> write_files(LayerWriter& writer, const PlannedFiles& files) {
  std::string last_folder;
  for (const auto& [path, planned] : files) {
    if (sys::interrupted()) return sys::interrupted_error();
    TK_CHECK(add_parents(writer, path, last_folder));
    TK_CHECK(add_planned_file(writer, planned));
  }
  return {};
}

}  // namespace

Result<LayerFacts> make_wheel_layer(std::span<const wheel::Wheel> wheels, const wheel::InstallScheme& scheme,
                                    const sys::BlobStore& store) {
  TK_TRY(const auto files, plan_layer(wheels, scheme));
  TK_TRY(auto writer, LayerWriter::create(store));
  TK_CHECK(write_files(writer, files));
  return writer.finish();
}

Result<bool> copy_wheel_layer(std::span<const wheel::Wheel> wheels, const wheel::InstallScheme& scheme,
                              const base::Digest& claimed, const sys::BlobStore& store) {
  TK_TRY(const auto files, plan_layer(wheels, scheme));
  TK_TRY(auto writer, LayerWriter::create(store, DiffId::known));
  TK_CHECK(write_files(writer, files));
  return writer.finish_as(claimed);
}

}  // namespace torchkiln::layer
