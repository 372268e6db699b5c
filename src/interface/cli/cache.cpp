// torchkiln cache: what is kept, removed when it is no longer used; and the catalog of layers that wheels are known
// to give, made, shared and fetched.

#include "assembly/engine/prune.hpp"
#include "assembly/engine/shared_catalog.hpp"
#include "assembly/engine/wheel_catalog.hpp"
#include "foundation/base/text.hpp"
#include "foundation/sys/environment.hpp"
#include "foundation/sys/files.hpp"
#include "interface/cli/commands.hpp"
#include "proof/stamp/policy.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace torchkiln::cli {

using base::ErrorCode;
using base::fail;
using base::Result;
namespace fs = std::filesystem;

namespace {

/// From the release on whose builds images are made by default.
constexpr std::string_view k_first_release = "2.7.1";
const std::vector<std::string> k_pythons = {"3.10", "3.11", "3.12", "3.13"};
/// Of the base that images are made on by default.
constexpr std::string_view k_glibc = "2.36";

struct MakeOptions {
  std::vector<std::string> releases, pythons;
  std::string output;
  lock::PythonIndexes indexes;
};

/// A release and the Python versions that it has wheels for.
struct CoveredRelease {
  std::string release;
  std::vector<std::string> pythons;
};

/// The releases that are named, or all whose build for x86_64 is on the default Python index, oldest first.
Result<std::vector<CoveredRelease>> releases_to_cover(const MakeOptions& options, const matrix::Matrix& matrix) {
  const auto& wanted = options.pythons.empty() ? k_pythons : options.pythons;
  TK_TRY(const auto first, version::Version::parse(k_first_release));
  std::vector<CoveredRelease> covered;
  for (const auto& build : matrix.builds) {
    const bool is_default = build.index == "default" && build.architecture == matrix::Architecture::x86_64 &&
                            build.cuda && build.status == matrix::Status::stable;
    const auto release = build.pytorch.to_string();
    const bool is_named =
        std::find(options.releases.begin(), options.releases.end(), release) != options.releases.end();
    if (!is_default || (options.releases.empty() ? build.pytorch < first : !is_named)) continue;
    CoveredRelease one{release, {}};
    for (const auto& python : wanted)
      if (build.has_python(python)) one.pythons.push_back(python);
    covered.insert(covered.begin(), std::move(one));
  }
  if (covered.empty())
    return fail(ErrorCode::usage, "no such release of PyTorch has a CUDA build for x86_64 on the default index",
                {"torchkiln matrix list builds"});
  return covered;
}

Result<std::vector<lock::LockedWheel>> wheels_of(const std::string& release, const std::string& python,
                                                 const lock::PythonIndexes& indexes, Session& session) {
  base::Step step(session.progress(), "Resolving", fmt::format("torch {} for Python {}", release, python));
  lock::PythonRequest request;
  request.requirements = {"torch==" + release};
  request.python = python;
  request.glibc = k_glibc;
  request.architecture = "x86_64";
  request.indexes = indexes;
  request.network = session.options().network;
  TK_TRY(request.uv, session.uv());
  request.cache = session.cache().root() / "uv";
  request.work = session.cache().work();
  TK_TRY(auto pins, lock::pin_python(request));
  step.end(fmt::format("{} wheels", pins.wheels.size()));
  return std::move(pins.wheels);
}

Result<int> make_catalog(const MakeOptions& options, Session& session) {
  TK_TRY(const auto matrix, session.load_matrix());
  TK_TRY(const auto releases, releases_to_cover(options, matrix));
  TK_TRY(const auto indexes, lock::python_indexes(options.indexes));
  TK_CHECK(session.take_cache());
  TK_TRY(const auto manifests, session.manifests());
  const fs::path output = options.output.empty() ? manifests / "layers/pytorch.json" : fs::path(options.output);
  layer::CatalogEntries entries;
  std::error_code error;
  if (fs::exists(output, error)) {
    TK_TRY(const auto text, sys::read_file(output));
    TK_TRY(entries, layer::parse_catalog(text, output.string()));
  }
  const auto before = entries.size();
  for (const auto& [release, pythons] : releases)
    for (const auto& python : pythons) {
      TK_TRY(const auto wheels, wheels_of(release, python, indexes, session));
      wheel::InstallScheme scheme;
      scheme.python_version = python;
      TK_TRY(auto found,
             engine::catalog_wheels(wheels, scheme, entries, session.cache(), session.http(), session.progress()));
      entries.merge(found);
      // After each, so that what was found is not lost when the next one fails.
      TK_CHECK(sys::make_directories(output.has_parent_path() ? output.parent_path() : "."));
      TK_CHECK(sys::write_file(output, layer::format_catalog(entries)));
    }
  TK_CHECK(session.print(
      fmt::format("{}: {} layers, {} of them new\n", output.string(), entries.size(), entries.size() - before),
      document::Json{{"schema", "torchkiln.catalog/1"},
                     {"file", output.string()},
                     {"layers", entries.size()},
                     {"added", entries.size() - before}}));
  return 0;
}

Result<oci::RegistryReference> catalog_reference(const std::string& text) {
  TK_TRY(const auto reference, oci::parse_reference(text));
  if (const auto* in_registry = std::get_if<oci::RegistryReference>(&reference)) return *in_registry;
  return fail(ErrorCode::usage, "'" + text + "' is in no registry", {"give HOST/REPO:TAG"});
}

Result<int> push(const std::string& text, Session& session) {
  TK_TRY(const auto reference, catalog_reference(text));
  if (!reference.tag)
    return fail(ErrorCode::usage, "a catalog is pushed to a tag, not to a digest", {"HOST/REPO:TAG"});
  TK_CHECK(session.take_cache());
  TK_TRY(const auto entries, session.cache().catalog().own_entries());
  TK_TRY(const auto repository, session.registries().repository(reference));
  TK_TRY(const auto pushed, engine::push_catalog(entries, repository, *reference.tag, session.cache().work()));
  TK_CHECK(session.print(fmt::format("{}@{}: {} layers, {} of them new\n", repository.to_string(),
                                     pushed.digest.to_string(), pushed.entries, pushed.added),
                         document::Json{{"schema", "torchkiln.catalog/1"},
                                        {"reference", text},
                                        {"digest", pushed.digest.to_string()},
                                        {"layers", pushed.entries},
                                        {"added", pushed.added}}));
  return 0;
}

Result<int> pull(const std::string& text, Session& session) {
  TK_TRY(const auto reference, catalog_reference(text));
  TK_CHECK(session.take_cache());
  TK_TRY(const auto repository, session.registries().repository(reference));
  const auto name = reference.digest ? reference.digest->to_string() : *reference.tag;
  TK_TRY(const auto entries, engine::pull_catalog(repository, name, session.cache().work()));
  const auto& catalog = session.cache().catalog();
  TK_TRY(const auto own, catalog.own_entries());
  std::size_t added = 0;
  for (const auto& [key, entry] : entries) {
    if (own.count(key)) continue;  // what this machine made itself counts more
    TK_CHECK(catalog.add(key, entry));
    ++added;
  }
  TK_CHECK(session.print(
      fmt::format("{}: {} layers, {} of them new here\n", text, entries.size(), added),
      document::Json{
          {"schema", "torchkiln.catalog/1"}, {"reference", text}, {"layers", entries.size()}, {"added", added}}));
  return 0;
}

/// How long something may lie unused unless told otherwise.
constexpr const char* k_prune_age = "30d";

Result<int> prune(const std::string& unused_for, Session& session) {
  const auto age_s = stamp::parse_age(unused_for);
  if (!age_s) return fail(ErrorCode::usage, "--unused-for: " + age_s.error().message, age_s.error().hints);
  TK_CHECK(session.take_cache());
  TK_TRY(const auto pruned, engine::prune(session.cache(), sys::now_s() - *age_s));
  TK_CHECK(session.print(
      fmt::format("{}: {} blobs and unpacked layers removed, {} freed; {} stay\n", session.cache().root().string(),
                  pruned.removed, base::format_bytes(pruned.freed_bytes), base::format_bytes(pruned.kept_bytes)),
      document::Json{{"schema", "torchkiln.cache-prune/1"},
                     {"cache", session.cache().root().string()},
                     {"removed", pruned.removed},
                     {"freed_bytes", pruned.freed_bytes},
                     {"kept_bytes", pruned.kept_bytes}}));
  return 0;
}

void add_reference(CLI::App& command, const char* name, const char* help,
                   Result<int> (*act)(const std::string&, Session&), Action& chosen) {
  auto* sub = command.add_subcommand(name, help);
  auto reference = std::make_shared<std::string>();
  sub->add_option("reference", *reference, "HOST/REPO:TAG")->required()->type_name("REF");
  sub->callback([&chosen, reference, act] {
    chosen = [reference, act](Session& session) { return act(*reference, session); };
  });
}

}  // namespace

void add_cache(CLI::App& program, Action& chosen) {
  auto* cache = program.add_subcommand("cache", "What this machine keeps, and what it knows about layers");
  cache->require_subcommand(1);
  auto* pruner =
      cache->add_subcommand("prune", "Remove what has not been used for a while; all of it can be made again");
  auto unused_for = std::make_shared<std::string>(k_prune_age);
  pruner
      ->add_option("--unused-for", *unused_for, fmt::format("How long, for example 12h (default: {})", k_prune_age))
      ->type_name("AGE");
  pruner->callback(
      [&chosen, unused_for] { chosen = [unused_for](Session& session) { return prune(*unused_for, session); }; });
  auto* catalog = cache->add_subcommand(
      "catalog", "The layers that wheels are known to give: what is in it is copied, or not even fetched");
  catalog->require_subcommand(1);
  add_reference(*catalog, "push", "Add what this machine made to a catalog in a registry", push, chosen);
  add_reference(*catalog, "pull", "Learn what is in a catalog in a registry", pull, chosen);
  auto* make = catalog->add_subcommand(
      "make", "Find out the layers of PyTorch's wheels; they are fetched, converted and thrown away one by one");
  auto options = std::make_shared<MakeOptions>();
  make->add_option("--pytorch", options->releases,
                   fmt::format("A release; may be repeated (default: all from {} on)", k_first_release))
      ->type_name("VERSION")
      ->allow_extra_args(false);
  make->add_option("--python", options->pythons,
                   fmt::format("A Python version; may be repeated (default: {})", base::join(k_pythons, ", ")))
      ->type_name("VERSION")
      ->allow_extra_args(false);
  make->add_option("--output,-o", options->output, "The catalog to add to (default: the one that ships)")
      ->type_name("FILE");
  make->add_option("--index", options->indexes.index,
                   "Python package index (default: what pip and uv are configured with)")
      ->type_name("URL");
  make->callback(
      [&chosen, options] { chosen = [options](Session& session) { return make_catalog(*options, session); }; });
}

}  // namespace torchkiln::cli
