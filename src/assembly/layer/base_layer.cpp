#include "assembly/layer/base_layer.hpp"

#include "assembly/layer/archive_reader.hpp"
#include "assembly/layer/deb_package.hpp"
#include "assembly/layer/gzip_members.hpp"
#include "foundation/base/text.hpp"
#include "foundation/sys/environment.hpp"
#include "foundation/sys/process.hpp"
#include "foundation/sys/workers.hpp"

#include <algorithm>
#include <memory>
#include <mutex>
#include <set>

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace torchkiln::layer {

using base::ErrorCode;
using base::fail;
using base::Result;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t k_member_input_bytes = 4U << 20;
constexpr double k_bootstrap_timeout_s = 1800;

/// A package repository (Debian wiki, "DebianRepository/Format") below `root` with exactly these packages.
Result<std::int64_t> make_repository(const BaseRequest& request, const sys::BlobStore& debs, const fs::path& root) {
  const auto index_folder = root / "dists" / request.suite / "main" / ("binary-" + request.architecture);
  TK_CHECK(sys::make_directories(index_folder));
  TK_CHECK(sys::make_directories(root / "pool"));
  std::string packages;
  std::int64_t time_s = 0;
  for (const auto& deb : request.packages) {
    const auto file_name =
        fmt::format("{}_{}_{}.deb", deb.name, base::replace_all(deb.version, ":", "%3a"), deb.architecture);
    TK_TRY(const auto package, read_deb(debs.path(deb.digest), file_name));
    time_s = std::max(time_s, package.time_s);
    // apt unquotes URIs, so a "%" in a file name would be looked for under another name.
    const auto pool_name = base::replace_all(file_name, "%", "_");
    TK_CHECK(sys::link_or_copy(debs.path(deb.digest), root / "pool" / pool_name));
    packages += fmt::format("{}\nFilename: pool/{}\nSize: {}\nSHA256: {}\n\n", package.control, pool_name,
                            sys::size_of_file(debs.path(deb.digest)).value_or(0), deb.digest.hex());
  }
  TK_CHECK(sys::write_file(index_folder / "Packages", packages));
  TK_CHECK(sys::write_file(
      root / "dists" / request.suite / "Release",
      fmt::format("Suite: {0}\nCodename: {0}\nArchitectures: {1}\nComponents: main\nSHA256:\n {2} {3} "
                  "main/binary-{1}/Packages\n",
                  request.suite, request.architecture, base::Digest::of(packages).hex(), packages.size())));
  return time_s;
}

/// The hooks that have mmdebstrap work on an image that is there. apt's settings are mmdebstrap's own meanwhile:
/// the image's name mirrors.
std::vector<std::string> hooks_for_image(const fs::path& image_tar) {
  return {
      "--setup-hook=rm -f \"$1/etc/resolv.conf\" \"$1/etc/hostname\" && mv \"$1/etc/apt\" \"$1/.kiln-ours\" && "
      "tar -C \"$1\" --numeric-owner --xattrs --xattrs-include='*' -xf '" +
          image_tar.string() +
          "' && mkdir -p \"$1/etc/apt\" && mv \"$1/etc/apt\" \"$1/.kiln-theirs\" && "
          "mv \"$1/.kiln-ours\" \"$1/etc/apt\"",
      // mmdebstrap removes its own file from there once it is done.
      "--customize-hook=mkdir -p \"$1/.kiln-theirs/apt.conf.d\" && "
      "touch \"$1/.kiln-theirs/apt.conf.d/00mmdebstrap\" && rm -rf \"$1/etc/apt\" && "
      "mv \"$1/.kiln-theirs\" \"$1/etc/apt\" && rm -f \"$1\"/etc/ssh/ssh_host_*"};
}

/// What names this machine or the temporary repository, and the keys that openssh-server makes when it is
/// installed: every container would have the same.
constexpr const char* k_tidy_hook =
    R"(--customize-hook=rm -f "$1/etc/resolv.conf" "$1/etc/hostname" "$1/etc/apt/sources.list" "$1"/etc/apt/sources.list.d/* "$1"/etc/ssh/ssh_host_*)";

/// `image_tar`: the image that the packages are put on; empty: none.
Result<void> bootstrap(const BaseRequest& request, const fs::path& repository, std::int64_t time_s,
                       const fs::path& image_tar, const fs::path& tar, const fs::path& work, base::Step& step) {
  std::set<std::string> names;
  for (const auto& deb : request.packages) names.insert(deb.name);
  auto environment = sys::current_environment();
  environment["SOURCE_DATE_EPOCH"] = std::to_string(time_s);
  environment["TMPDIR"] = work.string();
  environment["LC_ALL"] = "C.UTF-8";
  environment["TZ"] = "UTC";
  environment["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  sys::Command command;
  command.arguments = {"mmdebstrap", sys::is_root() ? "--mode=root" : "--mode=unshare",
                       image_tar.empty() ? "--variant=essential" : "--variant=custom", "--format=tar",
                       "--architectures=" + request.architecture,
                       "--include=" + base::join(std::vector<std::string>(names.begin(), names.end()), ","),
                       // /dev is the runtime's; an image layer has no device nodes.
                       "--skip=output/dev", "--dpkgopt=path-exclude=/usr/share/man/*",
                       "--dpkgopt=path-exclude=/usr/share/locale/*", "--dpkgopt=path-exclude=/usr/share/doc/*",
                       "--dpkgopt=path-include=/usr/share/doc/*/copyright"};
  const auto hooks = image_tar.empty() ? std::vector<std::string>{k_tidy_hook} : hooks_for_image(image_tar);
  command.arguments.insert(command.arguments.end(), hooks.begin(), hooks.end());
  command.arguments.insert(command.arguments.end(),
                           {request.suite, tar.string(),
                            "deb [trusted=yes] copy://" + repository.string() + " " + request.suite + " main"});
  command.environment = std::move(environment);
  command.timeout_s = k_bootstrap_timeout_s;
  command.on_line = [&step](std::string_view line) { step.output(line); };
  auto done = sys::run_checked(command);
  if (!done) {
    auto error = std::move(done).error();
    if (error.code == ErrorCode::tool_failed && !sys::is_root())
      error.hints.push_back(
          "as an ordinary user the base needs subordinate ids: check that /etc/subuid and /etc/subgid "
          "have a line for you and that the package uidmap is installed (scripts/setup does both)");
    return fail(std::move(error));
  }
  return {};
}

/// Whether users other than the owner may enter `path` and every folder above it.
bool is_open_to_others(const fs::path& path) {
  std::error_code error;
  for (auto folder = fs::absolute(path, error); !error; folder = folder.parent_path()) {
    const auto permissions = fs::status(folder, error).permissions();
    if (error || (permissions & fs::perms::others_exec) == fs::perms::none) return false;
    if (folder == folder.root_path()) return true;
  }
  return false;
}

/// Where mmdebstrap may work: below folders that everybody may enter. For an ordinary user it runs as that user's
/// first subordinate id, which cannot enter a home folder of mode 0700; and apt gives its own folders in the image
/// to root or to _apt depending on whether _apt can enter them, so root needs such a folder too, for the same
/// bytes.
Result<fs::path> bootstrap_parent() {
  std::vector<fs::path> candidates = {"/var/tmp", "/tmp"};
  if (const auto named = sys::environment("TMPDIR")) candidates.insert(candidates.begin(), fs::path(*named));
  for (const auto& candidate : candidates)
    if (is_open_to_others(candidate)) return candidate;
  return fail(ErrorCode::file_failed, "no folder for temporary files that subordinate users may enter",
              {"set TMPDIR to a folder that everybody may enter (mode o+x, and all folders above it)"});
}

/// The contents of the files that later layers extend.
Result<std::map<std::string, std::string>> account_files(const fs::path& tar) {
  const ArchiveReader reader(archive_read_new());
  archive_read_support_format_tar(reader.get());
  auto bad = [&] { return fail(ErrorCode::tool_failed, "the base cannot be read: " + reason_of(reader.get())); };
  if (archive_read_open_filename(reader.get(), tar.c_str(), 1U << 20) != ARCHIVE_OK) return bad();
  std::map<std::string, std::string> files;
  archive_entry* entry = nullptr;
  int status = ARCHIVE_OK;
  // ARCHIVE_WARN: a name that our locale cannot write. Names of the files we look for are ASCII.
  while ((status = archive_read_next_header(reader.get(), &entry)) == ARCHIVE_OK || status == ARCHIVE_WARN) {
    std::string name = archive_entry_pathname(entry) ? archive_entry_pathname(entry) : "";
    if (name.starts_with("./")) name.erase(0, 2);
    const bool wanted = name == "etc/passwd" || name == "etc/group" || name == "etc/shadow" ||
                        name == "etc/gshadow" ||
                        (name.starts_with("etc/skel/") && archive_entry_filetype(entry) == AE_IFREG);
    if (!wanted) continue;
    std::string content(static_cast<std::size_t>(archive_entry_size(entry)), '\0');
    if (archive_read_data(reader.get(), content.data(), content.size()) != static_cast<la_ssize_t>(content.size()))
      return bad();
    files[name] = std::move(content);
  }
  if (status != ARCHIVE_EOF) return bad();
  return files;
}

/// A base gets a user of its own, so there must be accounts.
Result<void> check_accounts(const BaseFacts& facts) {
  for (const char* needed : {"etc/passwd", "etc/group", "etc/shadow"})
    if (!facts.files.count(needed))
      return fail(ErrorCode::tool_failed, std::string("the base has no ") + needed,
                  {"its package passwd makes it: name it among [packages] system"});
  return {};
}

}  // namespace

std::string base_layer_key(const BaseRequest& request) {
  std::vector<std::string> lines;
  for (const auto& deb : request.packages) lines.push_back(deb.digest.hex());
  std::sort(lines.begin(), lines.end());
  base::Sha256 hasher;
  hasher.update(fmt::format("{}\n{}\n{}\n{}", k_base_layer_recipe, request.suite, request.architecture,
                            base::join(lines, "\n")));
  for (const auto& layer : request.image) hasher.update("\non " + layer.diff_id.hex());
  return hasher.finish().hex();
}

std::optional<BaseFacts> find_base(const BaseRequest& request, const LayerCatalog& catalog) {
  const auto key = base_layer_key(request);
  const auto facts = catalog.find(key);
  const auto text = catalog.find_note(key);
  if (!facts || !text) return std::nullopt;
  const auto json = nlohmann::json::parse(*text, nullptr, false);
  if (!json.is_object() || !json.contains("time") || !json["time"].is_number_integer() || !json.contains("files") ||
      !json["files"].is_object())
    return std::nullopt;
  BaseFacts base_facts{*facts, json["time"].get<std::int64_t>(), {}};
  for (const auto& [path, content] : json["files"].items()) {
    if (!content.is_string()) return std::nullopt;
    base_facts.files[path] = content.get<std::string>();
  }
  return base_facts;
}

Result<LayerFacts> compress_tar(const fs::path& tar, const sys::BlobStore& store, unsigned threads) {
  TK_TRY(const auto input, sys::MappedFile::open(tar));
  const auto bytes = input.bytes();
  // At least one member: a file of no members is not a gzip file.
  const std::size_t count =
      std::max<std::size_t>(1, (bytes.size() + k_member_input_bytes - 1) / k_member_input_bytes);
  std::vector<std::string> members(count);
  sys::Workers workers(threads);
  for (std::size_t i = 0; i < count; ++i)
    workers.submit([&, i]() -> Result<void> {
      const auto piece = bytes.subspan(i * k_member_input_bytes,
                                       std::min(k_member_input_bytes, bytes.size() - i * k_member_input_bytes));
      members[i] = packed_member(piece);
      return {};
    });
  LayerFacts facts;
  base::Sha256 diff;
  diff.update(bytes);
  facts.diff_id = diff.finish();
  facts.unpacked_bytes = bytes.size();
  TK_CHECK(workers.wait());
  TK_TRY(auto blob, store.create());
  for (const auto& member : members) TK_CHECK(blob.write(member));
  facts.size_bytes = blob.size_bytes();
  TK_TRY(facts.digest, blob.commit());
  return facts;
}

Result<BaseFacts> make_base(const BaseRequest& request, const sys::BlobStore& debs, const sys::BlobStore& store,
                            const LayerCatalog& catalog, unsigned threads, base::Step& step) {
  TK_TRY(const auto parent, bootstrap_parent());
  TK_TRY(const auto folder, sys::TemporaryDirectory::create(parent, "torchkiln-base-"));
  TK_CHECK(sys::set_mode(folder.path(), 0755));
  const auto repository = folder.path() / "repository", tar = folder.path() / "base.tar";
  BaseFacts facts;
  fs::path image_tar;
  if (!request.image.empty()) {
    image_tar = request.packages.empty() ? tar : folder.path() / "image.tar";
    TK_CHECK(flatten(request.image, store, image_tar, folder.path()));
  }
  const bool has_packages = image_tar != tar;
  if (has_packages) {
    TK_TRY(facts.time_s, make_repository(request, debs, repository));
    TK_CHECK(bootstrap(request, repository, facts.time_s, image_tar, tar, folder.path(), step));
  }
  TK_TRY(facts.files, account_files(tar));
  if (has_packages) TK_CHECK(check_accounts(facts));
  TK_TRY(facts.layer, compress_tar(tar, store, threads));
  const auto key = base_layer_key(request);
  const nlohmann::ordered_json note = {{"time", facts.time_s}, {"files", facts.files}};
  TK_CHECK(catalog.add(key, {facts.layer, note.dump()}));
  return facts;
}

}  // namespace torchkiln::layer
