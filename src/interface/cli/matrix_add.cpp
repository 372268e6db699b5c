#include "interface/cli/matrix_add.hpp"

#include "foundation/base/text.hpp"
#include "foundation/sys/environment.hpp"
#include "interface/cli/gate.hpp"
#include "interface/cli/open_image.hpp"
#include "interface/console/matrix_documents.hpp"
#include "knowledge/matrix/load.hpp"
#include "knowledge/matrix/proofs.hpp"
#include "knowledge/matrix/query.hpp"
#include "proof/stamp/check.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>

namespace torchkiln::cli {

using base::ErrorCode;
using base::fail;
using base::Result;

namespace {

struct AddOptions {
  std::string image, output;
  std::vector<std::string> keys;
};

/// What the image is, by its labels. Its digest, which the stamps are about, covers them.
Result<matrix::Proof> image_facts(const OpenedImage& opened, const matrix::Matrix& matrix) {
  TK_TRY(const auto manifest, opened.layout.read_manifest(opened.image.descriptor));
  TK_TRY(const auto config, opened.layout.read_config(manifest));
  const auto digest = opened.image.descriptor.digest;
  const auto label = [&](const std::string& key) -> Result<std::string> {
    const auto found = config.execution.labels.find("dev.torchkiln." + key);
    if (found != config.execution.labels.end() && !found->second.empty()) return found->second;
    return fail(ErrorCode::input_invalid, fmt::format("{} has no label dev.torchkiln.{}", digest.to_string(), key),
                {"proofs are about images that torchkiln made"});
  };
  matrix::Proof facts;
  TK_TRY(const auto build, label("pytorch"));
  TK_TRY(const auto version, version::Version::parse(build));
  facts.pytorch = version.without_local();
  facts.variant = version.local();
  TK_TRY(facts.python, label("python"));
  TK_TRY(facts.system, label("os"));
  facts.architecture =
      config.architecture == "arm64" ? matrix::Architecture::aarch64 : matrix::Architecture::x86_64;
  facts.image = digest;
  const bool is_known = std::any_of(matrix.builds.begin(), matrix.builds.end(), [&](const matrix::Build& row) {
    return row.pytorch == facts.pytorch && row.variant == facts.variant && row.architecture == facts.architecture;
  });
  if (!is_known || !matrix::find_system(matrix, facts.system))
    return fail(ErrorCode::input_invalid,
                fmt::format("the matrix has no build {} for {}, or no system {}", build, name(facts.architecture),
                            facts.system),
                {"--manifests DIR names the matrix that the image was made with"});
  return facts;
}

/// Rows of one stamp: one for each model of GPU that it is sure of.
struct Reading {
  std::vector<matrix::Proof> rows;
  std::optional<console::MatrixAddition::Refused> refused;
};

Result<Reading> rows_of(const stamp::Proof& proof, const matrix::Proof& facts) {
  const auto& run = proof.run;
  const auto refuse = [&](std::string reason, std::string text, std::string remedy) {
    Reading reading;
    reading.refused =
        console::MatrixAddition::Refused{proof.stamp, std::move(reason), std::move(text), std::move(remedy)};
    return reading;
  };
  // What ran in the image must be what its labels say.
  const auto ran = [&](const char* what) {
    const auto found = run.versions.find(what);
    return found == run.versions.end() ? std::string() : found->second;
  };
  const auto torch = ran("torch"), python = ran("python");
  if (!torch.empty() && torch != facts.build() && torch != facts.pytorch.to_string())
    return refuse("contradiction", fmt::format("torch {} ran in it, and the image says {}", torch, facts.build()),
                  "");
  if (!python.empty() && python != facts.python && !python.starts_with(facts.python + "."))
    return refuse("contradiction", fmt::format("Python {} ran in it, and the image says {}", python, facts.python),
                  "");
  std::set<std::pair<std::string, std::string>> models;
  for (const auto& gpu : run.host.gpus) models.emplace(gpu.name, gpu.compute_capability);
  const bool on_all = run.reached >= report::Level::multi_gpu;
  if (models.size() > 1 && !on_all)
    return refuse("several-models",
                  "its machine has several models of GPU, and it does not say which one was tested",
                  "verify at the level multi-gpu, or where only one model is visible");
  Reading reading;
  for (const auto& [gpu, compute] : models) {
    auto row = facts;
    row.gpu = gpu;
    TK_TRY(row.compute, version::ComputeCapability::parse(compute));
    TK_TRY(row.driver, version::DriverVersion::parse(run.host.driver));
    row.level = on_all ? matrix::Proof::Level::multi_gpu : matrix::Proof::Level::gpu;
    row.from.source = proof.stamp.to_string();
    row.from.grade = matrix::Grade::measured;
    row.from.date = base::format_time(run.finished_s).substr(0, 10);
    reading.rows.push_back(std::move(row));
  }
  return reading;
}

Result<int> add_from_stamps(const AddOptions& options, Session& session) {
  TK_TRY(const auto keys, load_public_keys(options.keys));
  TK_TRY(const auto opened, open_image(options.image, ImageContent::stamps, session));
  TK_TRY(const auto matrix, session.load_matrix());
  TK_TRY(const auto facts, image_facts(opened, matrix));
  const stamp::Policy policy{.keys = keys, .level = report::Level::gpu};
  TK_TRY(const auto verdict, stamp::check(opened.layout, opened.image, policy, sys::now_s()));

  console::MatrixAddition result;
  result.image = opened.image.descriptor.digest.to_string();
  for (const auto& refusal : verdict.refusals)
    result.refused.push_back(
        {refusal.stamp, std::string(stamp::name(refusal.reason)), refusal.text, refusal.remedy});
  std::vector<matrix::Proof> rows;
  for (const auto& proof : verdict.proofs) {
    TK_TRY(auto reading, rows_of(proof, facts));
    rows.insert(rows.end(), reading.rows.begin(), reading.rows.end());
    if (reading.refused) result.refused.push_back(std::move(*reading.refused));
  }

  const auto file = options.output.empty() ? session.proofs_file() : std::filesystem::path(options.output);
  result.file = file.string();
  std::string before;
  std::error_code error;
  if (std::filesystem::exists(file, error)) {
    TK_TRY(before, sys::read_file(file, matrix::k_manifest_bytes_max));
  }
  TK_TRY(auto after, matrix::with_proofs(before, file.string(), rows));
  result.added = std::move(after.added);
  result.known = std::move(after.known);
  if (!result.added.empty()) {
    if (file.has_parent_path()) TK_CHECK(sys::make_directories(file.parent_path()));
    TK_CHECK(sys::write_file(file, after.text));
  }
  TK_CHECK(
      session.print(console::matrix_addition_text(result, session.paint()), console::matrix_addition_json(result)));
  return rows.empty() ? 1 : 0;
}

}  // namespace

void add_matrix_add(CLI::App& command, Action& chosen) {
  auto* adder = command.add_subcommand("add", "Add what an image's stamps have proven to the matrix");
  auto options = std::make_shared<AddOptions>();
  adder->add_option("--from-stamp", options->image, k_image_forms)->required()->type_name("IMAGE");
  adder->add_option("--pub", options->keys, "Public key that must have signed; may be repeated (default: your own)")
      ->type_name("FILE");
  adder
      ->add_option("--output,-o", options->output,
                   "File of proofs (default: proofs.toml in --manifests, or in ~/.config/torchkiln)")
      ->type_name("FILE");
  adder->callback([&chosen, options] {
    chosen = [options](Session& session) -> Result<int> { return add_from_stamps(*options, session); };
  });
}

}  // namespace torchkiln::cli
