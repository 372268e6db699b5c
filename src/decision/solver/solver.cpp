#include "decision/solver/solver.hpp"

#include "decision/solver/explain.hpp"
#include "decision/solver/fixes.hpp"
#include "decision/solver/resolution.hpp"
#include "foundation/base/text.hpp"

#include <array>

#include <fmt/format.h>

namespace torchkiln::solver {

std::string_view name(DriverMode mode) {
  constexpr std::array<std::string_view, 3> k_names{"direct", "minor-version", "forward-compat"};
  return k_names[static_cast<std::size_t>(mode)];
}

std::string_view name(KernelMode mode) {
  constexpr std::array<std::string_view, 2> k_names{"sass", "ptx-jit"};
  return k_names[static_cast<std::size_t>(mode)];
}

namespace {

/// A name that the matrix does not know, at the place where the user wrote it.
base::Unexpected unknown(const spec::Placed<std::string>& wish, std::string_view what,
                         const std::optional<std::string>& nearest, std::string otherwise) {
  const auto code = wish.place.file.starts_with("--") ? base::ErrorCode::usage : base::ErrorCode::spec_invalid;
  return base::fail_at(code, wish.place, fmt::format("the manifests know no {} \"{}\"", what, wish.value),
                       {nearest ? fmt::format("did you mean \"{}\"?", *nearest) : std::move(otherwise)});
}

}  // namespace

base::Result<Request> request_of(const spec::Spec& spec, const matrix::Matrix& matrix) {
  for (const auto& gpu : spec.require.gpus)
    if (!find_gpu(matrix, gpu.value))
      return unknown(gpu, "GPU", nearest_gpu(matrix, gpu.value),
                     "write its compute capability instead, such as sm_90");
  if (spec.require.os && !find_system(matrix, spec.require.os->value)) {
    std::vector<std::string> known;
    for (const auto& system : matrix.systems) known.push_back(system.id);
    return unknown(*spec.require.os, "operating system", base::nearest(spec.require.os->value, known),
                   "known are " + base::join(known, ", "));
  }
  Request request;
  request.spec_file = spec.file;
  request.require = spec.require;
  request.packages = spec.python_packages;
  if (spec.require.architecture) {
    TK_TRY(request.architecture, matrix::parse_architecture(spec.require.architecture->value));
  }
  if (spec.require.prefer) request.prefer = spec.require.prefer->value;
  if (spec.require.forward_compat && spec.require.forward_compat->value)
    request.forward_compat = ForwardCompat::allowed;
  return request;
}

Outcome solve(const Request& request, const matrix::Matrix& matrix) {
  const Catalogue catalogue = make_catalogue(matrix, request.architecture, request.prefer);
  const Model model = make_model(request, catalogue);
  if (const auto assignment = best(model.problem, model.all())) return make_resolution(model, *assignment);
  const Active core = core_of(model);
  Conflict conflict;
  conflict.summary = summary_of(model, core);
  conflict.core = statements_of(model, core);
  conflict.fixes = fixes_of(request, catalogue);
  return conflict;
}

std::optional<Fix> nearest_on_default_index(Request request, const matrix::Matrix& matrix) {
  request.indexes = Indexes::default_only;
  auto outcome = solve(request, matrix);
  Fix fix;
  if (auto* conflict = std::get_if<Conflict>(&outcome)) {
    if (conflict->fixes.empty()) return std::nullopt;
    fix = std::move(conflict->fixes.front());
  } else {
    fix.resolution = std::get<Resolution>(std::move(outcome));
    fix.text = "the default index";
  }
  // Named in full, or the better build of the other index would be chosen again.
  fix.overrides.pytorch = fmt::format("{}+{}", fix.resolution.pytorch.to_string(), fix.resolution.build);
  fix.command = command_of(request, fix.overrides, "torchkiln lock");
  return fix;
}

}  // namespace torchkiln::solver
