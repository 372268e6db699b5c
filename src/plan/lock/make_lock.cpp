#include "plan/lock/make_lock.hpp"

#include "foundation/base/text.hpp"
#include "knowledge/wheel/install.hpp"
#include "knowledge/wheel/wheel.hpp"
#include "plan/lock/toolkit.hpp"

#include <algorithm>
#include <future>
#include <set>

#include <fmt/format.h>

namespace torchkiln::lock {

using base::Result;

namespace {

std::vector<std::string> exact_versions(const std::vector<LockedWheel>& wheels) {
  std::vector<std::string> lines;
  for (const auto& wheel : wheels) lines.push_back(wheel.name + "==" + wheel.version);
  return lines;
}

/// torch/torch_version.py imports pkg_resources up to 2.1 without requiring it (the wheels of 2.1.2 and 2.2.2 on the
/// Python index), and setuptools has it no more: its own warning names the version to stay below.
bool imports_pkg_resources(const version::Version& pytorch) {
  return pytorch < version::Version::parse("2.2").value();
}

/// What uv is asked for. torch and its companions are pinned to the resolution; pip is there because an image that
/// cannot be extended by `pip install` is of little use.
PythonRequest python_request(const LockRequest& request, PythonIndexes indexes) {
  const auto& resolution = request.resolution;
  const bool own_index = resolution.index != "default";
  PythonRequest python;
  const std::string local = own_index ? "+" + resolution.build : "";
  python.requirements.push_back("torch==" + resolution.pytorch.to_string() + local);
  bool asks_for_pip = false;
  for (const auto& package : request.spec.python_packages) {
    python.requirements.push_back(package.text);
    asks_for_pip = asks_for_pip || package.name == "pip";
  }
  if (!asks_for_pip) python.requirements.emplace_back("pip");
  if (imports_pkg_resources(resolution.pytorch)) python.requirements.emplace_back("setuptools<81");
  if (resolution.torchvision)
    python.constraints.push_back("torchvision==" + resolution.torchvision->to_string() + local);
  if (resolution.torchaudio)
    python.constraints.push_back("torchaudio==" + resolution.torchaudio->to_string() + local);
  if (request.below.lock) {
    const auto kept = exact_versions(request.below.lock->wheels);
    python.constraints.insert(python.constraints.end(), kept.begin(), kept.end());
  }
  python.python = resolution.python;
  python.glibc = resolution.os.glibc.to_string();
  python.architecture = name(resolution.architecture);
  python.build = own_index ? resolution.build : "";
  python.indexes = std::move(indexes);
  python.earlier_pylock = request.earlier_pylock;
  python.upgrade = request.upgrade;
  python.upgrade_packages = request.upgrade_packages;
  python.network = request.network;
  python.uv = request.uv;
  python.cache = request.cache / "uv";
  python.work = request.cache / "work";
  return python;
}

bool by_name(const LockedWheel& a, const LockedWheel& b) {
  return a.name < b.name;
}

std::set<std::string> names_of(const std::vector<LockedWheel>& wheels) {
  std::set<std::string> names;
  for (const auto& wheel : wheels) names.insert(wheel.name);
  return names;
}

/// The base is pinned first, as if it were alone; then each part beside it, bound to what is pinned already, so
/// that a package has one version in the whole family. What a part brings that the base lacks is the part's.
Result<PythonPins> pin_family(const PythonRequest& base_request, const std::vector<PartRequest>& parts) {
  TK_TRY(auto family, pin_python(base_request));
  const auto base_names = names_of(family.wheels);
  auto everything = base_request;
  for (const auto& part : parts) {
    if (part.requirements.empty()) continue;
    auto with_part = base_request;
    const auto pinned = exact_versions(family.wheels);
    with_part.constraints.insert(with_part.constraints.end(), pinned.begin(), pinned.end());
    with_part.requirements.insert(with_part.requirements.end(), part.requirements.begin(), part.requirements.end());
    everything.requirements.insert(everything.requirements.end(), part.requirements.begin(),
                                   part.requirements.end());
    auto pins = pin_python(with_part);
    if (!pins) {
      auto error = std::move(pins).error();
      if (error.code == base::ErrorCode::package_conflict)
        error.message =
            fmt::format("the part {} does not go with the Python packages of the base", name(part.part));
      return base::fail(std::move(error));
    }
    for (auto& wheel : pins->wheels) {
      if (base_names.count(wheel.name)) continue;
      const auto at = std::lower_bound(family.wheels.begin(), family.wheels.end(), wheel, by_name);
      const bool is_known = at != family.wheels.end() && at->name == wheel.name;
      (is_known ? at : family.wheels.insert(at, std::move(wheel)))->parts.add(part.part);
    }
  }
  if (everything.requirements == base_request.requirements) return family;
  // pylock.toml is one file with all of it, for others to read and for uv to keep the next time.
  everything.constraints = exact_versions(family.wheels);
  TK_TRY(auto all, pin_python(everything));
  family.pylock = std::move(all.pylock);
  return family;
}

/// The lock must hold what the resolution promised: the matrix knows the pins, the index has the last word.
Result<void> check_pins(const solver::Resolution& resolution, const std::vector<LockedWheel>& wheels) {
  for (const auto& [package, version] : resolution.pins) {
    const auto found = std::find_if(wheels.begin(), wheels.end(),
                                    [&name = package](const LockedWheel& w) { return w.name == name; });
    if (found == wheels.end()) continue;
    const auto locked_version = version::Version::parse(found->version);
    if (locked_version && locked_version->without_local() == version.without_local()) continue;
    return base::fail(base::ErrorCode::integrity_failed,
                      fmt::format("the index gives {} {} where the matrix says that torch {} pins {}", package,
                                  found->version, resolution.pytorch.to_string(), version.to_string()),
                      {"a matrix that is out of date, or an index that is not what it seems: compare with "
                       "'torchkiln matrix show'"});
  }
  return {};
}

std::optional<base::Digest> identity_of(const Below& below) {
  return below.lock ? std::optional(identity(*below.lock)) : std::nullopt;
}

base::Error with_below(base::Error error, const Below& below) {
  if (below.lock && error.code == base::ErrorCode::package_conflict)
    error.hints.push_back(
        fmt::format("every package of {} keeps its version: what asks for another has to go there", below.file));
  return error;
}

/// Whether the Debian pins of an earlier lock still answer the same question.
bool keeps_debian(const LockRequest& request) {
  if (!request.earlier || request.upgrade == Upgrade::all) return false;
  if (request.earlier->extends != identity_of(request.below)) return false;
  const auto base = request.base ? std::optional(request.base->locked) : std::nullopt;
  if (!request.below.lock && request.earlier->base != base) return false;
  return request.earlier->resolution.suite == request.resolution.os.suite &&
         request.earlier->resolution.architecture == name(request.resolution.architecture) &&
         request.earlier->requested_debian == requested_debian(request);
}

Interpreter interpreter_of(const spec::Spec& spec) {
  return spec.base.python ? Interpreter::in_an_archive : Interpreter::of_the_system;
}

/// Systems that are not Debian's are not put together from packages here, and packages are put on a base by dpkg.
Result<void> check_base(const LockRequest& request) {
  const auto& os = request.resolution.os;
  if (request.base && request.base->dpkg_status.empty())
    return base::fail_at(
        base::ErrorCode::spec_invalid, request.base->place,
        fmt::format("{} has no dpkg, so tini and what else an image needs cannot be put on it", request.base->file),
        {"choose an image of Debian or Ubuntu"});
  if (request.base || request.below.lock || os.distribution == "debian") return {};
  return base::fail(base::ErrorCode::spec_invalid, "an image of " + os.id + " is not put together from packages",
                    {"name one to stand on: [base] image = \"registry.example/ubuntu@sha256:…\"",
                     "or os = \"debian-12\" in [require]"});
}

/// NVIDIA's archives that the parts ask for.
Result<std::vector<LockedArchive>> pin_archives(const LockRequest& request, sys::HttpClient& http,
                                                base::Progress& progress) {
  std::vector<std::string> components;
  for (const auto& part : request.parts)
    components.insert(components.end(), part.archives.begin(), part.archives.end());
  if (request.below.lock) {
    if (!components.empty() && request.below.lock->archives.empty())
      return base::fail_at(base::ErrorCode::spec_invalid, request.spec.devel.cuda->place,
                           fmt::format("{} has no CUDA toolkit of NVIDIA's archives, and this image stands on it",
                                       request.below.file),
                           {"ask for it in the spec below, with a devel variant"});
    return request.below.lock->archives;
  }
  if (components.empty()) return std::vector<LockedArchive>();
  const auto cuda = request.resolution.cuda.to_string();
  if (request.earlier && request.upgrade == Upgrade::keep && request.earlier->resolution.cuda == cuda &&
      !request.earlier->archives.empty())
    return request.earlier->archives;
  base::Step step(progress, "Locking", "the CUDA toolkit");
  TK_TRY(auto archives, pin_toolkit({request.resolution.cuda, std::string(name(request.resolution.architecture)),
                                     components, redist_folders(request.redist)},
                                    http));
  step.end(fmt::format("{} archives of NVIDIA's", archives.size()));
  return archives;
}

/// The CUDA that a package's name says it is for: 12 of "tensorrt-cu12-libs" and of "cupy-cuda12x".
std::optional<unsigned> named_cuda(std::string_view name) {
  for (const auto part : base::split(name, '-'))
    for (const std::string_view prefix : {"cuda", "cu"}) {
      if (!part.starts_with(prefix)) continue;
      auto number = part.substr(prefix.size());
      if (number.ends_with('x')) number.remove_suffix(1);
      if (const auto value = number.size() == 2 ? base::parse_integer(number) : std::nullopt; value && *value >= 10)
        return static_cast<unsigned>(*value);
    }
  return std::nullopt;
}

base::Error made_for_other_cuda(std::string_view package, unsigned cuda, const solver::Resolution& resolution) {
  auto other = std::string(package);
  const auto at = other.find("cu" + std::to_string(cuda));
  std::vector<std::string> hints = {fmt::format("or a build for CUDA {}: --cuda '{}.*'", cuda, cuda)};
  if (at != std::string::npos)
    hints.insert(hints.begin(), "ask for " + other.replace(at + 2, 2, std::to_string(resolution.cuda.major)));
  return {base::ErrorCode::package_conflict,
          fmt::format("{} is for CUDA {}, and PyTorch {}+{} for CUDA {}", package, cuda,
                      resolution.pytorch.to_string(), resolution.build, resolution.cuda.to_string()),
          std::nullopt,
          {},
          std::move(hints)};
}

/// Packages that name the CUDA they are for must name the build's.
Result<void> check_asked(const LockRequest& request) {
  for (const auto& package : request.spec.python_packages) {
    const auto cuda = named_cuda(package.name);
    if (!cuda || *cuda == request.resolution.cuda.major) continue;
    auto error = made_for_other_cuda(package.name, *cuda, request.resolution);
    error.where = package.place;
    return base::fail(std::move(error));
  }
  return {};
}

constexpr std::string_view k_tensorrt = "tensorrt";
constexpr const char* k_tensorrt_index =
    "NVIDIA has TensorRT's wheels on an index of its own: name it as pip's extra-index-url (docs/variants.md)";

/// The default Python index has stand-ins for TensorRT: sources that fetch it while they are installed, and empty
/// versions; and plain "tensorrt" is for the newest CUDA.
Result<void> check_tensorrt(const solver::Resolution& resolution, const std::vector<LockedWheel>& wheels) {
  for (const auto& wheel : wheels) {
    if (!wheel.name.starts_with(k_tensorrt)) continue;
    if (wheel.version.starts_with("0.0"))
      return base::fail(base::ErrorCode::package_conflict,
                        fmt::format("{} {} is a stand-in without TensorRT in it", wheel.name, wheel.version),
                        {k_tensorrt_index});
    if (const auto cuda = named_cuda(wheel.name); cuda && *cuda != resolution.cuda.major)
      return base::fail(made_for_other_cuda(wheel.name, *cuda, resolution));
  }
  return {};
}

base::Error with_tensorrt(base::Error error, const spec::Spec& spec) {
  const auto& packages = spec.python_packages;
  if (error.code == base::ErrorCode::package_conflict &&
      std::any_of(packages.begin(), packages.end(),
                  [](const spec::PythonPackage& one) { return one.name.starts_with(k_tensorrt); }))
    error.hints.emplace_back(k_tensorrt_index);
  return error;
}

/// What an earlier lock of exactly these wheels found out need not be found out again.
bool take_sizes(std::vector<LockedWheel>& wheels, const std::optional<Lock>& earlier) {
  if (!earlier || earlier->wheels.size() != wheels.size()) return false;
  for (std::size_t i = 0; i < wheels.size(); ++i)
    if (wheels[i].digest != earlier->wheels[i].digest || wheels[i].file_name != earlier->wheels[i].file_name ||
        earlier->wheels[i].size_bytes == 0)
      return false;
  for (std::size_t i = 0; i < wheels.size(); ++i) {
    wheels[i].size_bytes = earlier->wheels[i].size_bytes;
    wheels[i].unpacked_bytes = earlier->wheels[i].unpacked_bytes;
    wheels[i].files = earlier->wheels[i].files;
  }
  return true;
}

/// Sizes and conflicts from the wheels' own directories.
Result<void> read_wheels(std::vector<LockedWheel>& wheels, const wheel::InstallScheme& scheme,
                         sys::HttpClient& http, const sys::BlobStore& blobs, base::Progress& progress) {
  base::Step step(progress, "Reading", "the wheels' directories by range");
  std::vector<std::optional<wheel::WheelDirectory>> directories(wheels.size());
  std::vector<std::string> urls;
  std::vector<std::size_t> absent;
  for (std::size_t i = 0; i < wheels.size(); ++i) {
    if (blobs.contains(wheels[i].digest)) continue;
    urls.push_back(wheels[i].url);
    absent.push_back(i);
  }
  TK_TRY(auto by_range, wheel::read_directories(http, urls));
  std::vector<sys::Download> downloads;
  for (std::size_t k = 0; k < absent.size(); ++k) {
    const auto& one = wheels[absent[k]];
    if (!by_range[k]) downloads.push_back({one.url, blobs.path(one.digest), one.digest});
    directories[absent[k]] = std::move(by_range[k]);
  }
  // A server without ranges: what would be downloaded later is downloaded now.
  TK_CHECK(http.download_all(
      downloads, [](std::size_t) { return Result<void>(); }, [](std::uint64_t) {}));
  for (std::size_t i = 0; i < wheels.size(); ++i) {
    if (directories[i]) continue;
    const auto path = blobs.path(wheels[i].digest);
    TK_TRY(const auto opened, wheel::Wheel::open(path, wheels[i].file_name));
    directories[i] = wheel::WheelDirectory{sys::size_of_file(path).value_or(0), opened.entries()};
  }
  std::uint64_t total_bytes = 0;
  std::vector<wheel::WheelContents> contents;
  for (std::size_t i = 0; i < wheels.size(); ++i) {
    if (wheels[i].size_bytes != 0 && wheels[i].size_bytes != directories[i]->file_bytes)
      return base::fail(base::ErrorCode::integrity_failed,
                        fmt::format("{} has {} bytes where its index says {}", wheels[i].file_name,
                                    directories[i]->file_bytes, wheels[i].size_bytes));
    wheels[i].size_bytes = directories[i]->file_bytes;
    wheels[i].unpacked_bytes = directories[i]->unpacked_bytes();
    wheels[i].files = directories[i]->files();
    total_bytes += wheels[i].size_bytes;
    contents.push_back({wheels[i].file_name, directories[i]->entries});
  }
  TK_CHECK(wheel::check_conflicts(contents, scheme));
  step.end(fmt::format("{} wheels, {}, no two disagree", wheels.size(), base::format_bytes(total_bytes)));
  return {};
}

}  // namespace

std::vector<std::string> base_packages(Interpreter interpreter) {
  // passwd makes the account files; from Debian 13 on nothing essential needs it.
  std::vector<std::string> packages = {"ca-certificates", "passwd", "tini"};
  if (interpreter == Interpreter::of_the_system) packages.emplace_back("python3");
  return packages;
}

bool is_current(const Lock& lock, const spec::Spec& spec, const Below& below) {
  return lock.spec_digest == digest_of(spec) && stands_on(lock, all_parts(spec), below);
}

std::vector<std::string> requested_debian(const LockRequest& request) {
  auto requested = base_packages(interpreter_of(request.spec));
  for (const auto& package : request.spec.system_packages) requested.push_back(package.value);
  for (const auto& package : request.build_packages) requested.push_back("build:" + package);
  for (const auto& part : request.parts)
    for (const auto& package : part.packages) requested.push_back(fmt::format("{}:{}", name(part.part), package));
  std::sort(requested.begin(), requested.end());
  return requested;
}

Result<NewLock> make_lock(const LockRequest& request, sys::HttpClient& http, const sys::BlobStore& blobs,
                          base::Progress& progress) {
  const auto& resolution = request.resolution;
  TK_TRY(auto indexes, python_indexes(request.indexes));
  if (resolution.index != "default" && indexes.torch_index.empty())
    return base::fail(
        base::ErrorCode::usage,
        fmt::format("torch {}+{} is not on the default Python index", resolution.pytorch.to_string(),
                    resolution.build),
        {"name PyTorch's own index: --torch-index https://index.example/whl", "or leave the CUDA version open"});
  TK_CHECK(check_base(request));
  TK_CHECK(check_asked(request));
  Lock lock;
  lock.spec_digest = digest_of(request.spec);
  lock.matrix_revision = request.matrix_revision;
  lock.image_name = request.spec.image.name.value;
  lock.user = request.spec.user;
  lock.resolution = locked(resolution);
  if (request.base) lock.base = request.base->locked;
  if (const auto& python = request.spec.base.python)
    lock.python = LockedArchive{"python", python->version.value, python->url, python->digest, 0, {}};
  lock.has_toolkit_in_base = request.spec.devel.cuda && request.spec.devel.cuda->value == spec::ToolkitSource::base;
  if (const auto* below = request.below.lock.get()) {
    lock.base = below->base;
    lock.python = below->python;
    lock.has_toolkit_in_base = below->has_toolkit_in_base;
  }
  lock.extends = identity_of(request.below);
  lock.below = request.below.lock;
  lock.requested_debian = requested_debian(request);

  auto debian = std::async(std::launch::async, [&]() -> Result<std::vector<LockedDeb>> {
    if (keeps_debian(request)) return request.earlier->debs;
    base::Step step(progress, "Locking", "Debian packages");
    DebianRequest debs;
    debs.architecture = resolution.architecture == matrix::Architecture::aarch64 ? "arm64" : "amd64";
    TK_TRY(debs.sources, apt_sources(resolution.os.suite, request.mirrors, resolution.os.distribution));
    debs.base_packages = base_packages(interpreter_of(request.spec));
    if (request.base) debs.installed = request.base->dpkg_status;
    debs.system_packages = request.spec.system_packages;
    debs.build_packages = request.build_packages;
    debs.parts = request.parts;
    debs.network = request.network;
    debs.state = request.cache / "apt";
    TK_TRY(auto pinned, pin_debian(debs));
    step.end(fmt::format("{} packages of {}", pinned.size(), resolution.os.id));
    return pinned;
  });

  const auto python = python_request(request, std::move(indexes));
  lock.requested = python.requirements;
  base::Step step(progress, "Locking", "Python packages");
  auto pins = pin_family(python, request.parts);
  if (pins) step.end(fmt::format("{} packages", pins->wheels.size()));
  auto debs = debian.get();
  if (!pins) return base::fail(with_tensorrt(with_below(std::move(pins).error(), request.below), request.spec));
  if (!debs) return base::fail(std::move(debs).error());
  lock.wheels = std::move(pins->wheels);
  lock.debs = std::move(*debs);
  if (request.below.lock) {
    keep_below(request.below, all_parts(request.spec), lock.wheels);
    keep_below(request.below, all_parts(request.spec), lock.debs, progress);
  }
  TK_TRY(lock.archives, pin_archives(request, http, progress));
  TK_CHECK(check_pins(resolution, lock.wheels));
  TK_CHECK(check_tensorrt(resolution, lock.wheels));
  wheel::InstallScheme scheme;
  scheme.python_version = resolution.python;
  if (!take_sizes(lock.wheels, request.earlier)) TK_CHECK(read_wheels(lock.wheels, scheme, http, blobs, progress));
  if (request.earlier)
    for (auto& one : lock.wheels)
      for (const auto& before : request.earlier->wheels)
        if (before.digest == one.digest) one.layer = before.layer;
  return NewLock{std::move(lock), std::move(pins->pylock)};
}

}  // namespace torchkiln::lock
