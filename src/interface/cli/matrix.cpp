// torchkiln matrix: the compatibility data itself.

#include "foundation/base/text.hpp"
#include "foundation/sys/environment.hpp"
#include "foundation/sys/process.hpp"
#include "interface/cli/commands.hpp"
#include "interface/cli/matrix_add.hpp"
#include "interface/cli/matrix_query.hpp"
#include "interface/console/matrix_documents.hpp"
#include "knowledge/upstream/rewrite.hpp"
#include "knowledge/upstream/survey.hpp"
#include "plan/lock/toolkit.hpp"

#include <fmt/format.h>

namespace torchkiln::cli {

using base::Result;

namespace {

constexpr double k_uv_timeout_s = 60;

void add_check(CLI::App& command, Action& chosen) {
  auto* checker =
      command.add_subcommand("check", "Validate manifests/: schema, references, ranges, duplicates, gaps");
  checker->callback([&chosen] {
    chosen = [](Session& session) -> base::Result<int> {
      TK_TRY(const auto matrix, session.load_matrix());
      TK_TRY(const auto age, data_age(matrix));
      const auto findings = matrix::check(matrix);
      std::string text;
      std::size_t errors = 0;
      auto rows = document::Json::array();
      for (const auto& finding : findings) {
        const bool is_error = finding.kind == matrix::Finding::Kind::error;
        const auto* kind = is_error ? "error" : "gap";
        errors += is_error;
        text += fmt::format("{}: {}: {}\n", finding.place.to_string(), kind, finding.text);
        rows.push_back({{"kind", kind}, {"place", finding.place.to_string()}, {"text", finding.text}});
      }
      text += fmt::format("{} PyTorch releases, {} builds, {} GPUs, data as of {}: {} errors, {} gaps\n",
                          matrix.releases.size(), matrix.builds.size(), matrix.gpus.size(), age.to_string(), errors,
                          findings.size() - errors);
      TK_CHECK(session.print(text, document::Json{{"schema", "torchkiln.matrix-check/1"},
                                                  {"date", matrix.date},
                                                  {"data_age_days", age.days},
                                                  {"errors", errors},
                                                  {"gaps", findings.size() - errors},
                                                  {"findings", rows}}));
      return errors == 0 ? 0 : 1;
    };
  });
}

void add_list(CLI::App& command, Action& chosen) {
  auto* lister = command.add_subcommand("list", "Rows of the matrix that answer a question");
  auto query = std::make_shared<MatrixQuery>();
  lister->add_option("what", query->what, "What to list (default: builds)")
      ->check(CLI::IsMember(listable()))
      ->type_name("WHAT");
  const std::string group = "Only rows";
  lister->add_option("--gpu", query->gpus, "that run on the GPU, a model or sm_90; may be repeated")
      ->type_name("GPU")
      ->group(group);
  lister->add_option("--driver", query->driver, "that run on the driver, or are about its branch")
      ->type_name("VERSION")
      ->group(group);
  lister->add_option("--cuda", query->cuda, "of the CUDA version")->type_name("VERSION")->group(group);
  lister->add_option("--pytorch", query->pytorch, "of the PyTorch release")->type_name("VERSION")->group(group);
  lister->add_option("--python", query->python, "that have wheels for Python 3.11, or 3.13t")
      ->type_name("VERSION")
      ->group(group);
  lister->add_option("--arch", query->architecture, "of the machine: x86_64 or aarch64")
      ->type_name("ARCH")
      ->group(group);
  lister->callback([&chosen, query] {
    chosen = [query](Session& session) -> Result<int> {
      TK_TRY(const auto matrix, session.load_matrix());
      TK_TRY(const auto age, data_age(matrix));
      TK_TRY(const auto list, list_rows(matrix, *query));
      TK_CHECK(session.print(console::matrix_list_text(list, age, session.paint()),
                             console::matrix_list_json(list, age)));
      return list.rows.empty() ? 1 : 0;
    };
  });
}

void add_show(CLI::App& command, Action& chosen) {
  auto* shower = command.add_subcommand(
      "show", "All that is known about a release, build, variant, GPU, driver, CUDA version, system or package");
  auto query = std::make_shared<MatrixQuery>();
  shower->add_option("what", query->what, "For example 2.8.0+cu128, cu128, V100, 535, 12.8, debian-12")
      ->required()
      ->type_name("WHAT");
  shower->add_option("--pytorch", query->pytorch, "In these PyTorch releases only")->type_name("VERSION");
  shower->callback([&chosen, query] {
    chosen = [query](Session& session) -> Result<int> {
      TK_TRY(const auto matrix, session.load_matrix());
      TK_TRY(const auto age, data_age(matrix));
      TK_TRY(const auto entries, show_entries(matrix, *query));
      TK_CHECK(session.print(console::matrix_show_text(entries, age, session.paint()),
                             console::matrix_show_json(entries, age)));
      return 0;
    };
  });
}

struct RefreshOptions {
  lock::PythonIndexes indexes;
  std::vector<std::string> redist;
  std::vector<std::string> again;
  bool writes = false;
};

/// The index that uv would use: it says so itself, whatever it got it from.
Result<std::string> index_of_uv(const Session& session) {
  sys::Command command;
  TK_TRY(const auto uv, session.uv());
  command.arguments = {uv.string(), "pip", "compile", "-", "--no-deps", "--emit-index-url", "--quiet"};
  command.timeout_s = k_uv_timeout_s;
  TK_TRY(const auto output, sys::run_checked(command));
  constexpr std::string_view k_option = "--index-url ";
  for (const auto line : base::lines(output.output))
    if (line.starts_with(k_option)) return std::string(base::trim(line.substr(k_option.size())));
  return base::fail(base::ErrorCode::usage, "neither pip nor uv is configured with a Python index",
                    {"name one: --index https://index.example/simple"});
}

/// Completes what the user named from the configuration of pip and uv.
Result<upstream::SurveyRequest> survey_request(const RefreshOptions& options, const Session& session) {
  upstream::SurveyRequest request;
  TK_TRY(const auto indexes, lock::python_indexes(options.indexes));
  request.index = indexes.index;
  if (request.index.empty()) {
    TK_TRY(request.index, index_of_uv(session));
  }
  request.torch_index = lock::torch_index(options.indexes.torch_index);
  request.redist = lock::redist_folders(options.redist);
  for (const auto& text : options.again) {
    TK_TRY(auto releases, version::SpecifierSet::parse(text));
    request.again.push_back(std::move(releases));
  }
  TK_TRY(const auto epoch, sys::source_date_epoch());
  request.date = base::format_time(epoch.value_or(sys::now_s())).substr(0, 10);
  return request;
}

Result<int> refresh(Session& session, const RefreshOptions& options) {
  TK_TRY(const auto request, survey_request(options, session));
  TK_TRY(const auto directory, session.manifests());
  TK_TRY(const auto matrix, session.load_matrix());
  TK_TRY(const auto survey, upstream::take_survey(request, matrix, session.http(), session.progress()));
  console::MatrixRefresh result;
  result.changes = upstream::compare(upstream::known_rows(matrix), survey);
  result.open = survey.open;
  if (options.writes) {
    result.mode = console::MatrixRefresh::Mode::write;
    TK_TRY(const auto before, upstream::read_manifests(directory));
    TK_TRY(const auto after, upstream::rewrite(before, result.changes, survey));
    for (const auto& file : after) {
      const bool is_same = std::any_of(before.begin(), before.end(), [&](const matrix::ManifestFile& old) {
        return old.name == file.name && old.text == file.text;
      });
      if (is_same) continue;
      TK_CHECK(sys::write_file(directory / file.name, file.text));
      result.written.push_back(file.name);
    }
  }
  TK_CHECK(
      session.print(console::matrix_refresh_text(result, session.paint()), console::matrix_refresh_json(result)));
  return 0;
}

void add_refresh(CLI::App& command, Action& chosen) {
  auto* refresher = command.add_subcommand("refresh", "Compare the matrix with upstream and bring it up to date");
  auto options = std::make_shared<RefreshOptions>();
  const std::string group = "Sources (default: the Python index that pip or uv is configured with)";
  refresher->add_option("--index", options->indexes.index, "Python package index")->type_name("URL")->group(group);
  refresher
      ->add_option(
          "--torch-index", options->indexes.torch_index,
          fmt::format("PyTorch's own index, one folder a build below it (or {})", lock::k_torch_index_variable))
      ->type_name("URL")
      ->group(group);
  refresher
      ->add_option(
          "--redist", options->redist,
          fmt::format("NVIDIA's folder with redistrib_*.json; may be repeated (or {})", lock::k_redist_variable))
      ->type_name("URL")
      ->group(group);
  refresher
      ->add_option("--pytorch", options->again,
                   "Read the wheels of these releases although they are known; may be repeated")
      ->type_name("VERSION");
  refresher->add_flag("--write", options->writes, "Write the changes into the manifests");
  refresher->callback([&chosen, options] {
    chosen = [options](Session& session) -> Result<int> { return refresh(session, *options); };
  });
}

}  // namespace

void add_matrix(CLI::App& program, Action& chosen) {
  auto* command = program.add_subcommand("matrix", "The compatibility data");
  command->require_subcommand(1);
  add_list(*command, chosen);
  add_show(*command, chosen);
  add_check(*command, chosen);
  add_refresh(*command, chosen);
  add_matrix_add(*command, chosen);
}

}  // namespace torchkiln::cli
