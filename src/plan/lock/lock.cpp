#include "plan/lock/lock.hpp"

#include "foundation/base/text.hpp"
#include "foundation/document/document.hpp"
#include "knowledge/spec/values.hpp"
#include "knowledge/wheel/wheel.hpp"

#include <algorithm>
#include <set>
#include <type_traits>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace torchkiln::lock {

using base::Result;

namespace {

constexpr std::string_view k_schema = "torchkiln.lock/1";

/// A TOML basic string (toml.io v1.0, "String").
std::string toml_string(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\')
      result += std::string("\\") + c;
    else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      result += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    else
      result += c;
  }
  return result + "\"";
}

std::string toml_array(const std::vector<std::string>& items) {
  std::vector<std::string> items_as_toml;
  for (const auto& item : items) items_as_toml.push_back(toml_string(item));
  return "[" + base::join(items_as_toml, ", ") + "]";
}

/// Whether every resolution has a value, or only some.
enum class Presence { always, sometimes };

/// A text field of a resolution, const or not.
template <class Text>
struct TextField {
  const char* key;
  Text* text;
  Presence presence;
};

/// Every text field of a resolution with its key, in file order.
template <class Resolution>
auto text_fields(Resolution& r) {
  constexpr auto always = Presence::always, sometimes = Presence::sometimes;
  using Field = TextField<std::remove_pointer_t<decltype(&r.pytorch)>>;
  return std::vector<Field>{
      {"pytorch", &r.pytorch, always},
      {"build", &r.build, always},
      {"index", &r.index, always},
      {"released", &r.released, always},
      {"architecture", &r.architecture, always},
      {"cuda", &r.cuda, always},
      {"cudnn", &r.cudnn, sometimes},
      {"nccl", &r.nccl, sometimes},
      {"triton", &r.triton, sometimes},
      {"torchvision", &r.torchvision, sometimes},
      {"torchaudio", &r.torchaudio, sometimes},
      {"python", &r.python, always},
      {"os", &r.os, always},
      {"distribution", &r.distribution, always},
      {"suite", &r.suite, always},
      {"glibc", &r.glibc, always},
      {"driver_minimum", &r.driver_minimum, always},
      {"driver_without_minor_version_compatibility", &r.driver_without_minor_version_compatibility, always}};
}

/// Whether `text` may be a name or version. What a lock says ends up in a Dockerfile, in labels and in /etc/passwd,
/// so nothing in it may mean anything there.
bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("._+-!:~").find(c) != std::string_view::npos;
  });
}

void check_plain(document::Table& table, const char* key, const document::Placed<std::string>& value) {
  if (!is_plain(value.value)) table.reject(fmt::format("{} has a character that it cannot have", key), value.place);
}

std::string read_plain(document::Table& table, const char* key) {
  auto value = table.required_text(key);
  check_plain(table, key, value);
  return std::move(value.value);
}

/// A required text that `parse` understands.
template <class Parse>
std::string read_parsed(document::Table& table, const char* key, Parse parse) {
  const auto value = table.parsed(key, [&](std::string_view text) -> Result<std::string> {
    TK_CHECK(parse(text));
    return std::string(text);
  });
  if (!value && !table.has(key)) table.missing(key);
  return value ? value->value : std::string();
}

std::string read_url(document::Table& table, const char* key = "url") {
  auto url = table.required_text(key);
  for (const char c : url.value)
    if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7f) {
      table.reject(fmt::format("{} has a character that it cannot have", key), url.place);
      break;
    }
  return std::move(url.value);
}

base::Digest read_digest(document::Table& table, const char* key) {
  const auto value = table.parsed(key, [](std::string_view text) { return base::Digest::parse(text); });
  if (!value) {
    if (!table.has(key)) table.missing(key);
    return {};
  }
  return value->value;
}

std::uint64_t read_size(document::Table& table, const char* key) {
  const auto value = table.integer(key);
  if (!value) {
    if (!table.has(key)) table.missing(key);
    return 0;
  }
  if (value->value < 0) table.reject(std::string(key) + " is negative", value->place);
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, value->value));
}

/// A user's or group's number, within what a spec may ask for: never root.
std::uint32_t read_id(document::Table& table, const char* key) {
  const auto value = table.integer(key);
  if (!value) {
    if (!table.has(key)) table.missing(key);
    return 0;
  }
  if (value->value < spec::k_user_id_min || value->value > spec::k_user_id_max)
    table.reject(
        fmt::format("{} {} is outside {} to {}", key, value->value, spec::k_user_id_min, spec::k_user_id_max),
        value->place);
  return static_cast<std::uint32_t>(value->value);
}

std::vector<std::string> read_texts(document::Table& table, const char* key) {
  std::vector<std::string> items;
  if (auto values = table.texts(key))
    for (auto& item : values->value) {
      if (std::any_of(item.value.begin(), item.value.end(),
                      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }))
        table.reject(fmt::format("{} has a control character", key), item.place);
      items.push_back(std::move(item.value));
    }
  return items;
}

/// What "parts" says; a word of its own is "build", for the root that the verifier is compiled in.
constexpr std::string_view k_build_root = "build";
struct Parts {
  spec::Variant variant;
  bool build_root = false;
};
enum class BuildRoot { allowed, refused };
Parts read_parts(document::Table& table, BuildRoot build_root) {
  Parts parts;
  const auto names = table.texts("parts");
  if (!names) return parts;
  for (const auto& one : names->value) {
    if (one.value == k_build_root && build_root == BuildRoot::allowed) {
      parts.build_root = true;
      continue;
    }
    const auto known = std::find_if(spec::k_parts.begin(), spec::k_parts.end(),
                                    [&](spec::Part part) { return spec::name(part) == one.value; });
    if (known == spec::k_parts.end())
      table.reject("there is no part '" + one.value + "'", one.place);
    else
      parts.variant.add(*known);
  }
  return parts;
}

std::vector<std::string> names_of(spec::Variant variant) {
  std::vector<std::string> names;
  for (const auto part : variant.parts()) names.emplace_back(spec::name(part));
  return names;
}

std::vector<std::string> names_of(const LockedDeb& deb) {
  auto names = names_of(deb.parts);
  if (deb.in_build_root) names.insert(names.begin(), std::string(k_build_root));
  return names;
}

std::string parts_line(const std::vector<std::string>& names) {
  return names.empty() ? std::string() : "parts = " + toml_array(names) + "\n";
}

LockedLayer read_layer(document::Table& table) {
  LockedLayer layer;
  layer.digest = read_digest(table, "layer");
  layer.diff_id = read_digest(table, "diff_id");
  layer.size_bytes = read_size(table, "layer_size");
  if (table.has("layer_unpacked_size")) layer.unpacked_bytes = read_size(table, "layer_unpacked_size");
  return layer;
}

std::string layer_text(const LockedLayer& layer) {
  auto text = fmt::format("layer = {}\ndiff_id = {}\nlayer_size = {}\n", toml_string(layer.digest.to_string()),
                          toml_string(layer.diff_id.to_string()), layer.size_bytes);
  if (layer.unpacked_bytes) text += fmt::format("layer_unpacked_size = {}\n", layer.unpacked_bytes);
  return text;
}

LockedWheel read_wheel(document::Table& table) {
  LockedWheel wheel;
  wheel.name = read_plain(table, "name");
  wheel.version = read_plain(table, "version");
  wheel.file_name = read_parsed(table, "file", wheel::parse_wheel_name);
  if (!is_plain(wheel.file_name)) table.reject("file has a character that it cannot have", table.place());
  wheel.url = read_url(table);
  wheel.digest = read_digest(table, "sha256");
  wheel.size_bytes = read_size(table, "size");
  wheel.unpacked_bytes = read_size(table, "unpacked_size");
  if (table.has("files")) wheel.files = read_size(table, "files");
  if (const auto uploaded = table.text("uploaded")) {
    const auto time = base::parse_time(uploaded->value);
    if (!time) table.reject("'" + uploaded->value + "' is no time", uploaded->place);
    wheel.uploaded_s = time.value_or(0);
  }
  wheel.parts = read_parts(table, BuildRoot::refused).variant;
  if (table.has("layer")) wheel.layer = read_layer(table);
  table.finish();
  return wheel;
}

LockedDeb read_deb(document::Table& table) {
  LockedDeb deb;
  deb.name = read_plain(table, "name");
  deb.version = read_plain(table, "version");
  deb.architecture = read_plain(table, "architecture");
  deb.url = read_url(table);
  deb.digest = read_digest(table, "sha256");
  deb.size_bytes = read_size(table, "size");
  const auto parts = read_parts(table, BuildRoot::allowed);
  deb.parts = parts.variant;
  deb.in_build_root = parts.build_root;
  // How locks said it before there were parts: "base" or "build".
  if (const auto role = table.text("role"); role && role->value == k_build_root) deb.in_build_root = true;
  table.finish();
  return deb;
}

LockedArchive read_archive(document::Table& table) {
  LockedArchive archive;
  archive.name = read_plain(table, "name");
  archive.version = read_plain(table, "version");
  archive.url = read_url(table);
  archive.digest = read_digest(table, "sha256");
  archive.size_bytes = read_size(table, "size");
  archive.parts = read_parts(table, BuildRoot::refused).variant;
  table.finish();
  return archive;
}

LockedBase read_base(document::Table& root, document::Table& table) {
  LockedBase base;
  base.image = read_url(table, "image");
  if (table.has("from")) base.from = read_url(table, "from");
  base.digest = read_digest(table, "digest");
  table.finish();
  for (auto& one : root.tables("base_layer")) {
    LockedBaseLayer layer;
    layer.digest = read_digest(one, "digest");
    layer.diff_id = read_digest(one, "diff_id");
    layer.size_bytes = read_size(one, "size");
    layer.media_type = read_url(one, "media_type");
    one.finish();
    base.layers.push_back(std::move(layer));
  }
  if (base.layers.empty()) root.missing("base_layer");
  return base;
}

std::string base_text(const Lock& lock) {
  std::string text = fmt::format("\n[base]\nimage = {}\n", toml_string(lock.base->image));
  if (!lock.base->from.empty()) text += fmt::format("from = {}\n", toml_string(lock.base->from));
  text += fmt::format("digest = {}\n", toml_string(lock.base->digest.to_string()));
  for (const auto& layer : lock.base->layers)
    text += fmt::format("\n[[base_layer]]\ndigest = {}\ndiff_id = {}\nsize = {}\nmedia_type = {}\n",
                        toml_string(layer.digest.to_string()), toml_string(layer.diff_id.to_string()),
                        layer.size_bytes, toml_string(layer.media_type));
  return text;
}

std::string archive_text(std::string_view heading, const LockedArchive& archive) {
  return fmt::format("\n{}\nname = {}\nversion = {}\n{}url = {}\nsha256 = {}\nsize = {}\n", heading,
                     toml_string(archive.name), toml_string(archive.version), parts_line(names_of(archive.parts)),
                     toml_string(archive.url), toml_string(archive.digest.hex()), archive.size_bytes);
}

}  // namespace

std::int64_t Lock::created_s() const {
  std::int64_t newest = 0;
  for (const auto& wheel : wheels) newest = std::max(newest, wheel.uploaded_s);
  if (newest == 0) newest = base::parse_time(resolution.released + "T00:00:00Z").value_or(0);
  return newest;
}

LockedResolution locked(const solver::Resolution& resolution) {
  auto text = [](const auto& optional) { return optional ? optional->to_string() : std::string(); };
  LockedResolution r;
  r.pytorch = resolution.pytorch.to_string();
  r.build = resolution.build;
  r.index = resolution.index;
  r.released = resolution.released;
  r.architecture = name(resolution.architecture);
  r.cuda = resolution.cuda.to_string();
  r.cudnn = text(resolution.cudnn);
  r.nccl = text(resolution.nccl);
  r.triton = text(resolution.triton);
  r.torchvision = text(resolution.torchvision);
  r.torchaudio = text(resolution.torchaudio);
  r.python = resolution.python;
  r.os = resolution.os.id;
  r.distribution = resolution.os.distribution;
  r.suite = resolution.os.suite;
  r.glibc = resolution.os.glibc.to_string();
  r.driver_minimum = resolution.driver_minimum.to_string();
  r.driver_without_minor_version_compatibility = resolution.driver_without_minor_version_compatibility.to_string();
  for (const auto& one : resolution.sass) r.sass.push_back(one.to_string());
  for (const auto& one : resolution.ptx) r.ptx.push_back(one.to_string());
  std::set<version::ComputeCapability> gpus;
  for (const auto& one : resolution.gpus) gpus.insert(one.compute);
  for (const auto& one : gpus) r.gpus.push_back(one.to_string());
  return r;
}

Result<Lock> parse(std::string_view toml, const std::string& file) {
  TK_TRY(auto document, document::Document::parse(toml, file, base::ErrorCode::lock_invalid));
  auto root = document.root();
  Lock lock;
  const auto schema = root.required_text("schema");
  if (!schema.value.empty() && schema.value != k_schema)
    root.reject("schema is '" + schema.value + "'; this torchkiln reads " + std::string(k_schema), schema.place,
                {"make it anew with 'torchkiln lock'"});
  lock.spec_digest = read_digest(root, "spec");
  lock.matrix_revision = read_digest(root, "matrix");
  if (root.has("extends")) lock.extends = read_digest(root, "extends");
  lock.requested = read_texts(root, "requested");
  lock.requested_debian = read_texts(root, "requested_debian");
  if (auto image = root.table("image")) {
    lock.image_name = read_parsed(*image, "name", spec::parse_image_name);
    lock.user.name = read_parsed(*image, "user", spec::parse_user_name);
    lock.user.uid = read_id(*image, "uid");
    lock.user.gid = read_id(*image, "gid");
    image->finish();
  } else {
    root.missing("image");
  }
  if (auto table = root.table("resolution")) {
    for (const auto& field : text_fields(lock.resolution)) {
      if (const auto value = table->text(field.key)) {
        check_plain(*table, field.key, *value);
        *field.text = value->value;
      }
      if (field.presence == Presence::always && !table->has(field.key)) table->missing(field.key);
    }
    lock.resolution.sass = read_texts(*table, "sass");
    lock.resolution.ptx = read_texts(*table, "ptx");
    lock.resolution.gpus = read_texts(*table, "gpus");
    table->finish();
  } else {
    root.missing("resolution");
  }
  for (auto& table : root.tables("wheel")) lock.wheels.push_back(read_wheel(table));
  for (auto& table : root.tables("debian")) lock.debs.push_back(read_deb(table));
  for (auto& table : root.tables("archive")) lock.archives.push_back(read_archive(table));
  if (auto table = root.table("base")) lock.base = read_base(root, *table);
  if (auto table = root.table("python")) lock.python = read_archive(*table);
  if (auto table = root.table("bytecode")) {
    lock.bytecode = read_layer(*table);
    table->finish();
  }
  if (const auto toolkit = root.boolean("toolkit_in_base")) lock.has_toolkit_in_base = toolkit->value;
  root.finish();
  TK_CHECK(document.check());
  return lock;
}

std::string to_toml(const Lock& lock) {
  std::string text =
      "# Made by 'torchkiln lock'. Everything the image is made of; commit it beside kiln.toml.\n"
      "# It holds the addresses that the files came from; the digests decide, not the addresses.\n";
  text += fmt::format("schema = {}\nspec = {}\nmatrix = {}\n", toml_string(k_schema),
                      toml_string(lock.spec_digest.to_string()), toml_string(lock.matrix_revision.to_string()));
  if (lock.extends) text += fmt::format("extends = {}\n", toml_string(lock.extends->to_string()));
  text += fmt::format("requested = {}\nrequested_debian = {}\n", toml_array(lock.requested),
                      toml_array(lock.requested_debian));
  if (lock.has_toolkit_in_base) text += "toolkit_in_base = true\n";
  text += fmt::format("\n[image]\nname = {}\nuser = {}\nuid = {}\ngid = {}\n", toml_string(lock.image_name),
                      toml_string(lock.user.name), lock.user.uid, lock.user.gid);
  text += "\n[resolution]\n";
  for (const auto& field : text_fields(lock.resolution))
    if (field.presence == Presence::always || !field.text->empty())
      text += fmt::format("{} = {}\n", field.key, toml_string(*field.text));
  text += "sass = " + toml_array(lock.resolution.sass) + "\nptx = " + toml_array(lock.resolution.ptx) + "\n";
  if (!lock.resolution.gpus.empty()) text += "gpus = " + toml_array(lock.resolution.gpus) + "\n";
  for (const auto& wheel : lock.wheels) {
    text += fmt::format(
        "\n[[wheel]]\nname = {}\nversion = {}\nfile = {}\nurl = {}\nsha256 = {}\nsize = {}\nunpacked_size = {}\n",
        toml_string(wheel.name), toml_string(wheel.version), toml_string(wheel.file_name), toml_string(wheel.url),
        toml_string(wheel.digest.hex()), wheel.size_bytes, wheel.unpacked_bytes);
    text += parts_line(names_of(wheel.parts));
    if (wheel.files) text += fmt::format("files = {}\n", wheel.files);
    if (wheel.uploaded_s) text += "uploaded = " + toml_string(base::format_time(wheel.uploaded_s)) + "\n";
    if (wheel.layer) text += layer_text(*wheel.layer);
  }
  for (const auto& deb : lock.debs)
    text += fmt::format(
        "\n[[debian]]\nname = {}\nversion = {}\narchitecture = {}\n{}url = {}\nsha256 = {}\nsize = {}\n",
        toml_string(deb.name), toml_string(deb.version), toml_string(deb.architecture), parts_line(names_of(deb)),
        toml_string(deb.url), toml_string(deb.digest.hex()), deb.size_bytes);
  for (const auto& archive : lock.archives) text += archive_text("[[archive]]", archive);
  if (lock.base) text += base_text(lock);
  if (lock.python) text += archive_text("[python]", *lock.python);
  if (lock.bytecode) text += "\n[bytecode]\n" + layer_text(*lock.bytecode);
  return text;
}

base::Digest identity(const Lock& lock) {
  nlohmann::ordered_json json;
  json["image"] = {
      {"name", lock.image_name}, {"user", lock.user.name}, {"uid", lock.user.uid}, {"gid", lock.user.gid}};
  json["requested"] = lock.requested;
  json["created"] = lock.created_s();
  if (lock.base) json["base"] = lock.base->digest.hex();
  if (lock.python) json["python"] = lock.python->digest.hex();
  if (lock.has_toolkit_in_base) json["toolkit_in_base"] = true;
  if (lock.extends) json["extends"] = lock.extends->hex();
  for (const auto& field : text_fields(lock.resolution)) json["resolution"][field.key] = *field.text;
  json["resolution"]["sass"] = lock.resolution.sass;
  json["resolution"]["ptx"] = lock.resolution.ptx;
  if (!lock.resolution.gpus.empty()) json["resolution"]["gpus"] = lock.resolution.gpus;
  // Which index served a wheel does not change what it is.
  json["resolution"].erase("index");
  // What is for one purpose says so; the base, in the words that locks without parts had.
  json["wheels"] = nlohmann::ordered_json::array();
  for (const auto& wheel : lock.wheels) {
    json["wheels"].push_back({wheel.file_name, wheel.digest.hex()});
    if (!wheel.parts.is_runtime()) json["wheels"].back().push_back(names_of(wheel.parts));
  }
  json["debian"] = nlohmann::ordered_json::array();
  for (const auto& deb : lock.debs)
    json["debian"].push_back(
        {deb.name, deb.version, deb.digest.hex(), deb.is_base() ? "base" : base::join(names_of(deb), " ")});
  for (const auto& archive : lock.archives)
    json["archives"].push_back({archive.name, archive.digest.hex(), names_of(archive.parts)});
  return base::Digest::of(json.dump());
}

base::Digest digest_of(const spec::Spec& spec) {
  return base::Digest::of(spec::canonical_json(spec));
}

std::string version_tag(const LockedResolution& resolution) {
  std::string tag = resolution.pytorch + "-" + resolution.build;
  if (!resolution.cudnn.empty()) tag += "-cudnn" + resolution.cudnn.substr(0, resolution.cudnn.find('.'));
  return tag + "-py" + base::replace_all(resolution.python, ".", "");
}

spec::Variant all_parts(const spec::Spec& spec) {
  spec::Variant all;
  for (const auto variant : spec.image.variants)
    for (const auto part : variant.parts()) all.add(part);
  return all;
}

bool is_in(const LockedWheel& wheel, spec::Variant variant) {
  return wheel.parts.is_runtime() || wheel.parts.has_any_of(variant);
}

bool is_in(const LockedDeb& deb, spec::Variant variant) {
  return deb.is_base() || deb.parts.has_any_of(variant);
}

std::uint64_t toolkit_bytes(const Lock& lock) {
  std::uint64_t total = 0;
  for (const auto& archive : lock.archives) total += archive.size_bytes;
  for (const auto& wheel : lock.wheels)
    if (wheel.parts.has(spec::Part::devel) && wheel.name.starts_with("nvidia-")) total += wheel.size_bytes;
  return total;
}

std::string locked_version(const Lock& lock, std::string_view name) {
  const auto found =
      std::find_if(lock.wheels.begin(), lock.wheels.end(), [&](const LockedWheel& w) { return w.name == name; });
  return found == lock.wheels.end() ? std::string() : found->version;
}

}  // namespace torchkiln::lock
