#include "knowledge/matrix/rows.hpp"

#include "foundation/base/text.hpp"
#include "knowledge/matrix/query.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace torchkiln::matrix {

namespace {

using document::Table;
using version::ComputeCapability;
using version::CudaVersion;
using version::DriverVersion;
using version::Version;

/// A value of an enumeration by its name. `count` values, numbered from 0.
template <class Enum, std::size_t count>
Enum read_choice(Table& row, std::string_view key) {
  const auto text = row.required_text(key);
  std::vector<std::string> known;
  for (std::size_t i = 0; i < count; ++i) {
    const auto value = static_cast<Enum>(i);
    if (name(value) == text.value) return value;
    known.emplace_back(name(value));
  }
  row.reject(fmt::format("\"{}\" is no value of \"{}\"", text.value, key), text.place,
             {"values are " + base::join(known, ", ")});
  return Enum{};
}

/// A required value of a type with a parse function; a default-constructed one when it is wrong.
template <class Parse>
auto read_required(Table& row, std::string_view key, Parse parse) {
  if (!row.has(key)) row.missing(key);
  auto value = row.parsed(key, parse);
  using Value = typename decltype(parse(std::string_view()))::value_type;
  return value ? std::move(value->value) : Value{};
}

template <class Parse>
auto read_optional(Table& row, std::string_view key, Parse parse)
    -> std::optional<typename decltype(parse(std::string_view()))::value_type> {
  auto value = row.parsed(key, parse);
  if (!value) return std::nullopt;
  return std::move(value->value);
}

template <class Parse>
auto read_list(Table& row, std::string_view key, Parse parse)
    -> std::optional<std::vector<typename decltype(parse(std::string_view()))::value_type>> {
  auto values = row.parsed_each(key, parse);
  if (!values) return std::nullopt;
  std::vector<typename decltype(parse(std::string_view()))::value_type> result;
  for (auto& item : *values) result.push_back(std::move(item.value));
  return result;
}

template <class Parse>
auto read_required_list(Table& row, std::string_view key, Parse parse) {
  if (!row.has(key)) row.missing(key);
  using Value = typename decltype(parse(std::string_view()))::value_type;
  return read_list(row, key, parse).value_or(std::vector<Value>{});
}

base::Result<std::string> parse_text(std::string_view text) {
  return std::string(text);
}

/// "3.11" or "3.13t".
base::Result<std::string> parse_python_tag(std::string_view text) {
  std::string_view digits = text;
  if (digits.ends_with('t')) digits.remove_suffix(1);
  const auto tag = Version::parse(digits);
  if (!tag || tag->release().size() != 2 || tag->to_string() != digits)
    return base::fail(base::ErrorCode::input_invalid, fmt::format("\"{}\" is not a Python version", text),
                      {"write 3.11, or 3.13t for the free-threaded build"});
  return std::string(text);
}

/// The name of a CUDA variant as it stands in wheels' local versions.
base::Result<std::string> parse_variant(std::string_view text) {
  if (text == "cpu") return std::string(text);
  TK_TRY([[maybe_unused]] auto cuda, CudaVersion::from_build_name(text));
  return std::string(text);
}

base::Result<std::string> parse_index(std::string_view text) {
  if (text == "default" || text == "pytorch") return std::string(text);
  return base::fail(base::ErrorCode::input_invalid, fmt::format("\"{}\" is no value of \"index\"", text),
                    {"values are default, pytorch"});
}

/// A month, "2026-06".
base::Result<std::string> parse_month(std::string_view text) {
  if (text.size() == 7 && base::parse_time(std::string(text) + "-01T00:00:00Z")) return std::string(text);
  return base::fail(base::ErrorCode::input_invalid, fmt::format("\"{}\" is not a month", text), {"write 2026-06"});
}

std::int64_t read_number(Table& row, std::string_view key, std::int64_t least, std::int64_t most) {
  if (!row.has(key)) row.missing(key);
  const auto value = row.integer(key);
  if (!value) return 0;
  if (value->value < least || value->value > most)
    row.reject(fmt::format("\"{}\" must be from {} to {}", key, least, most), value->place);
  return value->value;
}

/// The columns that every row has.
Provenance read_provenance(Table& row) {
  Provenance from;
  from.place = {row.place().file, row.place().line, 0};
  from.source = row.required_text("source").value;
  from.grade = read_choice<Grade, 3>(row, "grade");
  from.date = row.required_date("date");
  if (auto note = row.text("note")) from.note = std::move(note->value);
  row.finish();
  return from;
}

void read_source(Table& row, Matrix& matrix) {
  Source source;
  source.place = {row.place().file, row.place().line, 0};
  source.id = row.required_text("id").value;
  source.title = row.required_text("title").value;
  if (auto detail = row.text("detail")) source.detail = std::move(detail->value);
  row.finish();
  matrix.sources.push_back(std::move(source));
}

void read_release(Table& row, Matrix& matrix) {
  Release release;
  release.pytorch = read_required(row, "pytorch", Version::parse);
  release.released = row.required_date("released");
  release.from = read_provenance(row);
  matrix.releases.push_back(std::move(release));
}

void read_build(Table& row, Matrix& matrix) {
  Build build;
  const auto releases = read_required_list(row, "pytorch", Version::parse);
  build.variant = read_required(row, "variant", parse_variant);
  build.architecture = read_choice<Architecture, 2>(row, "architecture");
  if (!row.has("index")) row.missing("index");
  build.index = read_optional(row, "index", parse_index).value_or("");
  build.status = read_choice<Status, 3>(row, "status");
  build.cuda = read_optional(row, "cuda", CudaVersion::parse);
  build.cudnn = read_optional(row, "cudnn", Version::parse);
  build.nccl = read_optional(row, "nccl", Version::parse);
  build.python = read_required_list(row, "python", parse_python_tag);
  build.glibc = read_required(row, "glibc", Version::parse);
  if (const auto abi = row.boolean("cxx11_abi")) build.cxx11_abi = abi->value;
  build.sass = read_list(row, "sass", ComputeCapability::parse);
  build.ptx = read_list(row, "ptx", ComputeCapability::parse).value_or(std::vector<ComputeCapability>{});
  if (row.has("wheel_bytes"))
    build.wheel_bytes = static_cast<std::uint64_t>(read_number(row, "wheel_bytes", 1, INT64_MAX));
  if (row.has("download_bytes"))
    build.download_bytes = static_cast<std::uint64_t>(read_number(row, "download_bytes", 1, INT64_MAX));
  build.has_all_requirements = row.has("requirements");
  build.requirements = read_list(row, "requirements", parse_text).value_or(std::vector<std::string>{});
  build.from = read_provenance(row);
  for (const auto& release : releases) {
    build.pytorch = release;
    matrix.builds.push_back(build);
  }
}

void read_companion(Table& row, Matrix& matrix) {
  Companion companion;
  companion.package = row.required_text("package").value;
  companion.release = read_required(row, "release", Version::parse);
  companion.pytorch = read_required_list(row, "pytorch", Version::parse);
  companion.torch = read_optional(row, "torch", version::SpecifierSet::parse);
  companion.python = read_required_list(row, "python", parse_python_tag);
  companion.from = read_provenance(row);
  matrix.companions.push_back(std::move(companion));
}

void read_metapackage(Table& row, Matrix& matrix) {
  Metapackage metapackage;
  metapackage.package = row.required_text("package").value;
  metapackage.release = read_required(row, "release", Version::parse);
  if (auto extras = row.table("extras")) {
    for (const auto& extra : extras->keys())
      metapackage.extras.emplace_back(extra, extras->required_text(extra).value);
  } else {
    row.missing("extras");
  }
  metapackage.from = read_provenance(row);
  matrix.metapackages.push_back(std::move(metapackage));
}

void read_broken(Table& row, Matrix& matrix) {
  using version::SpecifierSet;
  const auto condition = [&](std::string_view key) {
    return read_optional(row, key, SpecifierSet::parse).value_or(SpecifierSet{});
  };
  Broken broken;
  broken.what = row.required_text("what").value;
  broken.pytorch = condition("pytorch");
  broken.cuda = condition("cuda");
  broken.python = condition("python");
  broken.variants = read_list(row, "variants", parse_variant).value_or(std::vector<std::string>{});
  broken.index = read_optional(row, "index", parse_index).value_or("");
  broken.architecture = read_optional(row, "architecture", parse_architecture);
  broken.compute = read_optional(row, "compute", SpecifierSet::parse);
  broken.package = read_optional(row, "package", parse_text).value_or("");
  broken.versions = condition("versions");
  broken.from = read_provenance(row);
  matrix.broken.push_back(std::move(broken));
}

void read_tombstone(Table& row, Matrix& matrix) {
  Tombstone tombstone;
  tombstone.image = row.required_text("image").value;
  tombstone.tag = row.required_text("tag").value;
  tombstone.gone = read_required(row, "gone", parse_month);
  tombstone.instead = row.required_text("instead").value;
  tombstone.from = read_provenance(row);
  matrix.tombstones.push_back(std::move(tombstone));
}

void read_family(Table& row, Matrix& matrix) {
  CudaFamily family;
  family.major = static_cast<unsigned>(read_number(row, "major", 1, 99));
  family.driver = read_required(row, "driver", DriverVersion::parse);
  family.from = read_provenance(row);
  matrix.families.push_back(std::move(family));
}

void read_toolkit(Table& row, Matrix& matrix) {
  Toolkit toolkit;
  toolkit.cuda = read_required(row, "cuda", CudaVersion::parse);
  toolkit.driver = read_required(row, "driver", DriverVersion::parse);
  toolkit.from = read_provenance(row);
  matrix.toolkits.push_back(std::move(toolkit));
}

void read_targets(Table& row, Matrix& matrix) {
  Targets targets;
  targets.first = read_required(row, "first", CudaVersion::parse);
  targets.last = read_required(row, "last", CudaVersion::parse);
  targets.compute = read_required_list(row, "compute", ComputeCapability::parse);
  targets.from = read_provenance(row);
  matrix.targets.push_back(std::move(targets));
}

void read_cudnn(Table& row, Matrix& matrix) {
  Cudnn cudnn;
  cudnn.first = read_required(row, "first", Version::parse);
  cudnn.last = read_optional(row, "last", Version::parse);
  cudnn.cuda_major = static_cast<unsigned>(read_number(row, "cuda_major", 1, 99));
  cudnn.driver = read_optional(row, "driver", DriverVersion::parse);
  cudnn.compute = read_required_list(row, "compute", ComputeCapability::parse);
  cudnn.ptx = read_list(row, "ptx", ComputeCapability::parse).value_or(std::vector<ComputeCapability>{});
  cudnn.from = read_provenance(row);
  matrix.cudnns.push_back(std::move(cudnn));
}

void read_nccl(Table& row, Matrix& matrix) {
  using Codes = std::vector<ComputeCapability>;
  Nccl nccl;
  nccl.first = read_required(row, "first", Version::parse);
  nccl.last = read_required(row, "last", Version::parse);
  nccl.cuda_major = static_cast<unsigned>(read_number(row, "cuda_major", 1, 99));
  nccl.compute = read_list(row, "compute", ComputeCapability::parse).value_or(Codes{});
  nccl.ptx = read_list(row, "ptx", ComputeCapability::parse).value_or(Codes{});
  nccl.from = read_provenance(row);
  matrix.nccls.push_back(std::move(nccl));
}

void read_branch(Table& row, Matrix& matrix) {
  DriverBranch branch;
  branch.branch = static_cast<unsigned>(read_number(row, "branch", 1, 99999));
  branch.kind = read_choice<BranchKind, 4>(row, "kind");
  branch.released = read_optional(row, "released", parse_month).value_or("");
  branch.end_of_life = read_optional(row, "end_of_life", parse_month).value_or("");
  branch.oldest_gpu = read_optional(row, "oldest_gpu", ComputeCapability::parse);
  branch.from = read_provenance(row);
  matrix.branches.push_back(std::move(branch));
}

void read_first_driver(Table& row, Matrix& matrix) {
  FirstDriver first;
  first.compute = read_required(row, "compute", ComputeCapability::parse);
  first.driver = read_required(row, "driver", DriverVersion::parse);
  first.from = read_provenance(row);
  matrix.first_drivers.push_back(std::move(first));
}

void read_forward_compat(Table& row, Matrix& matrix) {
  ForwardCompat compat;
  compat.cuda = read_required(row, "cuda", CudaVersion::parse);
  if (!row.has("branches")) row.missing("branches");
  for (const auto& branch : row.integers("branches")) {
    if (branch.value < 1 || branch.value > 99999) row.reject("a branch is a number such as 535", branch.place);
    compat.branches.push_back(static_cast<unsigned>(branch.value));
  }
  compat.from = read_provenance(row);
  matrix.forward_compat.push_back(std::move(compat));
}

void read_gpu(Table& row, Matrix& matrix) {
  Gpu gpu;
  gpu.model = row.required_text("model").value;
  gpu.aliases = read_list(row, "aliases", parse_text).value_or(std::vector<std::string>{});
  gpu.keys.push_back(gpu_key(gpu.model));
  for (const auto& alias : gpu.aliases) gpu.keys.push_back(gpu_key(alias));
  gpu.compute = read_required(row, "compute", ComputeCapability::parse);
  gpu.gpu_class = read_choice<GpuClass, 5>(row, "class");
  gpu.driver = read_optional(row, "driver", DriverVersion::parse);
  gpu.from = read_provenance(row);
  matrix.gpus.push_back(std::move(gpu));
}

void read_system(Table& row, Matrix& matrix) {
  OperatingSystem system;
  system.id = row.required_text("id").value;
  system.distribution = row.required_text("distribution").value;
  system.suite = row.required_text("suite").value;
  system.python = read_required(row, "python", parse_python_tag);
  system.glibc = read_required(row, "glibc", Version::parse);
  system.choice = read_choice<Choice, 3>(row, "choice");
  system.from = read_provenance(row);
  matrix.systems.push_back(std::move(system));
}

void read_proof(Table& row, Matrix& matrix) {
  Proof proof;
  proof.pytorch = read_required(row, "pytorch", Version::parse);
  proof.variant = read_required(row, "variant", parse_variant);
  proof.architecture = read_choice<Architecture, 2>(row, "architecture");
  proof.python = read_required(row, "python", parse_python_tag);
  proof.system = row.required_text("system").value;
  proof.gpu = row.required_text("gpu").value;
  proof.compute = read_required(row, "compute", ComputeCapability::parse);
  proof.driver = read_required(row, "driver", DriverVersion::parse);
  proof.level = read_choice<Proof::Level, 2>(row, "level");
  proof.image = read_required(row, "image", base::Digest::parse);
  const auto stamp = read_required(row, "source", base::Digest::parse);
  proof.from = read_provenance(row);
  proof.from.source = stamp.to_string();
  matrix.proofs.push_back(std::move(proof));
}

void read_schema(Table& root) {
  const auto schema = root.required_text("schema");
  if (schema.value != k_schema && !schema.value.empty())
    root.reject(fmt::format("schema \"{}\" is not known to this torchkiln", schema.value), schema.place,
                {fmt::format("this torchkiln reads {}", k_schema)});
}

}  // namespace

void read_proof_rows(Table root, Matrix& matrix) {
  read_schema(root);
  for (auto& row : root.tables("proof")) read_proof(row, matrix);
  root.finish();
}

void read_rows(Table root, Matrix& matrix) {
  using Reader = void (*)(Table&, Matrix&);
  constexpr std::pair<std::string_view, Reader> k_readers[] = {
      {"source", read_source},
      {"release", read_release},
      {"build", read_build},
      {"companion", read_companion},
      {"metapackage", read_metapackage},
      {"broken", read_broken},
      {"tombstone", read_tombstone},
      {"family", read_family},
      {"toolkit", read_toolkit},
      {"targets", read_targets},
      {"cudnn", read_cudnn},
      {"nccl", read_nccl},
      {"branch", read_branch},
      {"first_driver", read_first_driver},
      {"forward_compat", read_forward_compat},
      {"gpu", read_gpu},
      {"system", read_system},
      {"proof", read_proof},
  };
  read_schema(root);
  for (const auto& reader : k_readers)
    for (auto& row : root.tables(reader.first)) reader.second(row, matrix);
  root.finish();
}

}  // namespace torchkiln::matrix
