#include "proof/sbom/inventory.hpp"

#include "assembly/oci/contents.hpp"
#include "foundation/base/text.hpp"
#include "foundation/sys/environment.hpp"
#include "foundation/sys/files.hpp"
#include "knowledge/wheel/wheel.hpp"
#include "proof/sbom/nvidia_libraries.hpp"
#include "proof/sbom/purl.hpp"
#include "proof/verify/label_tests.hpp"

#include <algorithm>
#include <map>
#include <tuple>

#include <fmt/format.h>

namespace torchkiln::sbom {

using base::ErrorCode;
using base::fail;
using base::Result;
using verify::DebStatus;
using verify::ImageTree;
using verify::OsRelease;

namespace {

constexpr std::string_view k_lock_label = "dev.torchkiln.lock";
constexpr const char* k_nvidia = "NVIDIA";

std::string label(const oci::ImageConfig& config, std::string_view key) {
  return oci::value_of(config.execution.labels, key);
}

/// The last part of a path or an address.
std::string_view base_name(std::string_view path) {
  return path.substr(path.rfind('/') + 1);  // npos + 1 is 0
}

/// By the image's own labels, which say the same wherever it lies.
std::string name_of(const oci::Image& image, const oci::ImageConfig& config) {
  const auto title = label(config, "org.opencontainers.image.title"),
             version = label(config, "org.opencontainers.image.version");
  if (!title.empty()) return version.empty() ? title : title + ":" + version;
  return !image.name.empty() ? image.name : !image.tag.empty() ? image.tag : "image";
}

Result<void> expect_own_lock(const oci::ImageConfig& config, const lock::Lock& lock) {
  if (is_made_from(config, lock)) return {};
  const auto said = label(config, k_lock_label), given = identity(lock).to_string();
  const std::vector<std::string> hints = {
      "--lock names the kiln.lock that it was made from; a lock that was made anew is another one"};
  if (said.empty())
    return fail(ErrorCode::lock_invalid, "the image does not say what lock it was made from", hints);
  return fail(ErrorCode::lock_invalid, "the image was made from the lock " + said + ", this one is " + given,
              hints);
}

base::Unexpected not_in_image(const std::string& what) {
  return fail(ErrorCode::input_invalid, what + " is in the lock, but not in the image",
              {"torchkiln verify IMAGE --level static --lock kiln.lock says what else is not as it should be"});
}

Result<void> add_debs(const lock::Lock* lock, spec::Variant variant, const OsRelease& os, const ImageTree& tree,
                      std::vector<Component>& components) {
  std::map<DebStatus, const lock::LockedDeb*> locked;
  if (lock)
    for (const auto& deb : lock->debs)
      if (is_in(deb, variant)) locked[{deb.name, deb.version, deb.architecture}] = &deb;
  TK_TRY(const auto installed, verify::installed_debs(tree));
  for (const auto& package : installed) {
    Component component{.kind = Kind::deb, .name = package.name};
    component.version = package.version;
    component.architecture = package.architecture;
    component.purl = deb_purl(os.id, os.version_id, package.name, package.version, package.architecture);
    if (os.id == "debian") component.supplier = "Debian";
    if (os.id == "ubuntu") component.supplier = "Ubuntu";
    if (const auto found = locked.find(package); found != locked.end()) {
      const auto& deb = *found->second;
      component.url = public_url(deb.url);
      component.file_name = base_name(component.url);
      component.digest = deb.digest;
      component.size_bytes = deb.size_bytes;
      locked.erase(found);
    }
    components.push_back(std::move(component));
  }
  if (!locked.empty()) {
    const auto& missing = locked.begin()->first;
    return not_in_image(
        fmt::format("the Debian package {} {} ({})", missing.name, missing.version, missing.architecture));
  }
  return {};
}

/// Of a row of RECORD, "sha256=" and base64url without padding; none for anything else.
base::Digest digest_of_row(const wheel::RecordRow& row) {
  constexpr std::string_view k_algorithm = "sha256=";
  if (!row.hash.starts_with(k_algorithm)) return {};
  auto text = row.hash.substr(k_algorithm.size());
  std::replace(text.begin(), text.end(), '-', '+');
  std::replace(text.begin(), text.end(), '_', '/');
  while (text.size() % 4 != 0) text += '=';
  const auto bytes = base::from_base64(text);
  if (!bytes) return {};
  const auto digest = base::Digest::parse(base::to_hex(*bytes));
  return digest ? *digest : base::Digest();
}

/// NVIDIA's libraries among the files of a wheel that is somebody else's.
Result<std::vector<Component>> libraries_in(const ImageTree& tree, const std::string& record_path) {
  std::vector<Component> libraries;
  const auto* record = tree.file(record_path);
  if (!record) return libraries;
  TK_TRY(const auto text, sys::read_file(record->place));
  TK_TRY(const auto rows, wheel::parse_record(text, "/" + record_path));
  for (const auto& row : rows) {
    const auto library = nvidia_library(base_name(row.path));
    if (!library) continue;
    Component component{.kind = Kind::library, .name = std::string(base_name(row.path))};
    component.version = library->version;
    component.supplier = k_nvidia;
    component.file_name = row.path;
    component.digest = digest_of_row(row);
    component.size_bytes =
        static_cast<std::uint64_t>(std::max<std::int64_t>(0, base::parse_integer(row.size).value_or(0)));
    component.note = library->product + "; its version is as far as the file's name tells it";
    libraries.push_back(std::move(component));
  }
  return libraries;
}

/// cuDNN and NCCL that no wheel brings are part of torch: the image's labels say which.
void add_labelled_libraries(const oci::ImageConfig& config, const std::map<std::string, Component>& wheels,
                            Component& torch) {
  for (const std::string library : {"cudnn", "nccl"}) {
    const auto version = label(config, "dev.torchkiln." + library);
    const auto prefix = "nvidia-" + library + "-";
    const auto at = wheels.lower_bound(prefix);
    if (version.empty() || (at != wheels.end() && at->first.starts_with(prefix))) continue;
    Component component{.kind = Kind::library, .name = library};
    component.version = version;
    component.supplier = k_nvidia;
    component.note = "inside torch; its version is that of the image's label dev.torchkiln." + library;
    torch.parts.push_back(std::move(component));
  }
}

/// The installed wheels by name, as their METADATA says.
Result<std::map<std::string, Component>> installed_wheels(const ImageTree& tree, const std::string& site_packages) {
  std::map<std::string, Component> wheels;
  for (const auto& path : verify::metadata_files(tree, site_packages)) {
    TK_TRY(const auto text, sys::read_file(tree.entries().at(path).place));
    const auto metadata = verify::read_wheel_metadata(text);
    if (metadata.name.empty() || metadata.version.empty()) continue;
    Component component{.kind = Kind::wheel, .name = metadata.name};
    component.version = metadata.version;
    component.purl = pypi_purl(metadata.name, metadata.version);
    component.licence = licence_of(metadata);
    if (is_of_nvidia(metadata.name)) {
      component.supplier = k_nvidia;
    } else {
      const auto folder = path.substr(0, path.rfind('/'));
      TK_TRY(component.parts, libraries_in(tree, folder + "/RECORD"));
    }
    wheels.insert_or_assign(metadata.name, std::move(component));
  }
  return wheels;
}

Result<void> add_wheels(const oci::ImageConfig& config, const lock::Lock* lock, spec::Variant variant,
                        const ImageTree& tree, std::vector<Component>& components) {
  TK_TRY(auto wheels, installed_wheels(tree, verify::site_packages_of(config)));
  if (lock)
    for (const auto& locked : lock->wheels) {
      if (!is_in(locked, variant)) continue;
      const auto found = wheels.find(locked.name);
      if (found == wheels.end() || !verify::is_same_version(found->second.version, locked.version))
        return not_in_image("the wheel " + locked.file_name);
      auto& component = found->second;
      component.file_name = locked.file_name;
      component.url = public_url(locked.url);
      component.digest = locked.digest;
      component.size_bytes = locked.size_bytes;
    }
  if (const auto torch = wheels.find("torch"); torch != wheels.end())
    add_labelled_libraries(config, wheels, torch->second);
  for (auto& [wheel_name, component] : wheels) components.push_back(std::move(component));
  return {};
}

Component of_archive(const lock::LockedArchive& archive, const char* supplier) {
  Component component{.kind = Kind::archive, .name = archive.name};
  component.version = archive.version;
  component.purl = generic_purl(archive.name, archive.version);
  component.supplier = supplier;
  component.url = public_url(archive.url);
  component.file_name = base_name(component.url);
  component.digest = archive.digest;
  component.size_bytes = archive.size_bytes;
  return component;
}

void add_archives(const lock::Lock& lock, spec::Variant variant, std::vector<Component>& components) {
  for (const auto& archive : lock.archives)
    if (archive.parts.has_any_of(variant)) components.push_back(of_archive(archive, k_nvidia));
  if (lock.python) components.push_back(of_archive(*lock.python, ""));
}

/// The image that this one stands on, by the lock or by the image's own labels.
void add_base(const oci::ImageConfig& config, const lock::Lock* lock, std::vector<Component>& components) {
  const auto digest = base::Digest::parse(label(config, "org.opencontainers.image.base.digest"));
  if (!digest) return;
  Component component{.kind = Kind::base_image, .name = label(config, "org.opencontainers.image.base.name")};
  component.version = digest->to_string();
  component.digest = *digest;
  if (component.name.empty()) component.name = "base";
  if (lock && lock->base && !lock->base->from.empty())
    component.purl = oci_purl(lock->base->from.substr(0, lock->base->from.find('@')), *digest);
  components.push_back(std::move(component));
}

}  // namespace

std::string_view name(Kind kind) {
  switch (kind) {
    case Kind::base_image:
      return "base-image";
    case Kind::operating_system:
      return "operating-system";
    case Kind::deb:
      return "deb";
    case Kind::archive:
      return "archive";
    case Kind::wheel:
      return "wheel";
    case Kind::library:
      return "library";
  }
  TK_ASSERT(false, "every kind has a name");
}

bool is_made_from(const oci::ImageConfig& config, const lock::Lock& lock) {
  return label(config, k_lock_label) == identity(lock).to_string();
}

std::string repository_of(const Inventory& inventory) {
  const auto& whole = inventory.image_name;
  const auto colon = whole.rfind(':'), slash = whole.rfind('/');
  const bool has_tag = colon != std::string::npos && (slash == std::string::npos || slash < colon);
  return has_tag ? whole.substr(0, colon) : whole;
}

std::string public_url(std::string_view url) {
  return base::without_credentials(url.substr(0, url.find_first_of("?#")));
}

Result<Inventory> make_inventory(const oci::Image& image, const oci::ImageConfig& config, const lock::Lock* lock,
                                 const ImageTree& tree) {
  Inventory inventory;
  inventory.image = image.descriptor.digest;
  inventory.image_name = name_of(image, config);
  inventory.created_s = base::parse_time(config.created).value_or(0);
  inventory.variant = verify::variant_of(config);
  if (lock) {
    TK_CHECK(expect_own_lock(config, *lock));
    inventory.lock = identity(*lock);
  }
  OsRelease os;
  for (const auto* path : {"etc/os-release", "usr/lib/os-release"})
    if (const auto* file = tree.file(path)) {
      TK_TRY(const auto text, sys::read_file(file->place));
      os = verify::read_os_release(text);
      break;
    }
  auto& components = inventory.components;
  Component system{.kind = Kind::operating_system, .name = os.id};
  system.version = os.version_id;
  components.push_back(std::move(system));
  add_base(config, lock, components);
  TK_CHECK(add_debs(lock, inventory.variant, os, tree, components));
  TK_CHECK(add_wheels(config, lock, inventory.variant, tree, components));
  if (lock) add_archives(*lock, inventory.variant, components);
  const auto sort = [](std::vector<Component>& unsorted) {
    std::sort(unsorted.begin(), unsorted.end(), [](const Component& a, const Component& b) {
      return std::tie(a.kind, a.name, a.version, a.architecture, a.file_name) <
             std::tie(b.kind, b.name, b.version, b.architecture, b.file_name);
    });
  };
  sort(components);
  for (auto& component : components) sort(component.parts);
  return inventory;
}

Result<Inventory> take_inventory(const oci::Layout& layout, const oci::Image& image, const lock::Lock* lock,
                                 const engine::Cache& cache, base::Progress& progress) {
  TK_TRY(const auto contents, oci::read_contents(layout, image));
  // What can be refused is, before anything is unpacked.
  if (lock) TK_CHECK(expect_own_lock(contents.config, *lock));
  TK_TRY(const auto layers, runtime::layers_of(layout, contents.manifest, contents.config));
  TK_TRY(const auto lower, cache.unpacked().unpack_all(layers, sys::processor_count(), progress));
  TK_TRY(const auto tree, ImageTree::read(lower));
  return make_inventory(image, contents.config, lock, tree);
}

}  // namespace torchkiln::sbom
