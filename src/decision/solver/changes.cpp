#include "decision/solver/changes.hpp"

#include <algorithm>
#include <functional>
#include <set>

#include <fmt/format.h>

namespace torchkiln::solver {

namespace {

/// Another GPU is further away than any other change of one wish; one GPU less is in between.
constexpr std::size_t k_steps_to_another_gpu = 100;
constexpr std::size_t k_steps_to_fewer_gpus = 50;
constexpr std::size_t k_steps_to_fewer_packages = 25;

bool is_about(const std::vector<Meaning>& wishes, Meaning wish) {
  return std::find(wishes.begin(), wishes.end(), wish) != wishes.end();
}

/// Values in ascending order, ordered by their distance from `anchor`; of two as near, the newer first.
std::vector<Change> by_distance(const Meaning& wish, const std::set<version::Version>& values,
                                const version::Version& anchor) {
  const std::vector<version::Version> sorted(values.begin(), values.end());
  const auto position = std::lower_bound(sorted.begin(), sorted.end(), anchor) - sorted.begin();
  const bool known = position < static_cast<std::ptrdiff_t>(sorted.size()) && sorted[position] == anchor;
  std::vector<Change> changes;
  for (std::ptrdiff_t i = static_cast<std::ptrdiff_t>(sorted.size()) - 1; i >= 0; --i) {
    // An anchor between two known values is one step from both.
    const std::ptrdiff_t distance = i >= position ? i - position + (known ? 0 : 1) : position - i;
    changes.push_back({wish, sorted[static_cast<std::size_t>(i)].to_string(), static_cast<std::size_t>(distance)});
  }
  std::stable_sort(changes.begin(), changes.end(),
                   [](const Change& a, const Change& b) { return a.steps < b.steps; });
  return changes;
}

version::Version cut(const version::Version& full, std::size_t numbers) {
  auto release = full.release();
  release.resize(numbers);
  return version::Version::of(std::move(release));
}

/// Replacements for a wish about versions: `value_of` gives each build's.
template <class ValueOf>
std::vector<Change> version_changes(const Request& request, const matrix::Matrix& matrix, const Meaning& wish,
                                    const version::SpecifierSet& wanted, std::size_t numbers, ValueOf value_of) {
  std::set<version::Version> values;
  for (const auto& build : matrix.builds)
    if (build.cuda && build.architecture == request.architecture) value_of(build, values);
  if (values.empty()) return {};
  const auto anchor = wanted.anchor().value_or(*values.rbegin()).without_local();
  return by_distance(wish, values, numbers ? cut(anchor, numbers) : anchor);
}

std::vector<Change> driver_changes(const Request& request, const matrix::Matrix& matrix, const Meaning& wish) {
  std::vector<version::DriverVersion> known;
  for (const auto& row : matrix.families) known.push_back(row.driver);
  for (const auto& row : matrix.toolkits) known.push_back(row.driver);
  for (const auto& row : matrix.first_drivers) known.push_back(row.driver);
  for (const auto& row : matrix.gpus)
    if (row.driver) known.push_back(*row.driver);
  std::sort(known.begin(), known.end());
  const version::DriverVersion& wanted = request.require.driver->value;
  const auto change = [&](const version::DriverVersion& driver) {
    const unsigned low = std::min(driver.branch(), wanted.branch());
    const unsigned high = std::max(driver.branch(), wanted.branch());
    const auto steps = std::count_if(matrix.branches.begin(), matrix.branches.end(),
                                     [&](const auto& row) { return row.branch > low && row.branch <= high; });
    return Change{wish, driver.to_string(), static_cast<std::size_t>(steps)};
  };
  std::vector<Change> changes;
  for (const auto& driver : known)
    if (driver > wanted) changes.push_back(change(driver));
  for (auto driver = known.rbegin(); driver != known.rend(); ++driver)
    if (*driver < wanted) changes.push_back(change(*driver));
  return changes;
}

std::vector<Change> gpu_changes(const Request& request, const matrix::Matrix& matrix, const Meaning& wish) {
  std::vector<Change> changes;
  if (request.require.gpus.size() > 1) changes.push_back({wish, "", k_steps_to_fewer_gpus});
  const auto gpu = find_gpu(matrix, request.require.gpus[wish.item].value);
  std::set<version::ComputeCapability> codes;
  for (const auto& build : matrix.builds)
    for (const auto code : build.sass.value_or(std::vector<version::ComputeCapability>{})) codes.insert(code);
  const auto add = [&](version::ComputeCapability code) {
    changes.push_back({wish, code.sm(), k_steps_to_another_gpu + changes.size()});
  };
  for (auto code = codes.upper_bound(gpu->compute); code != codes.end(); ++code) add(*code);
  for (auto code = codes.rbegin(); code != codes.rend(); ++code)
    if (*code < gpu->compute) add(*code);
  return changes;
}

std::vector<Change> system_changes(const Request& request, const matrix::Matrix& matrix, const Meaning& wish) {
  std::vector<Change> changes;
  for (const auto& system : matrix.systems)
    if (system.choice != matrix::Choice::on_request && system.id != request.require.os->value)
      changes.push_back({wish, system.id, changes.size() + 1});
  return changes;
}

}  // namespace

Request without(const Request& request, const std::vector<Meaning>& wishes) {
  Request result = request;
  const auto drop = [&](Topic topic, auto& field) {
    if (is_about(wishes, {topic})) field.reset();
  };
  drop(Topic::pytorch, result.require.pytorch);
  drop(Topic::python, result.require.python);
  drop(Topic::cuda, result.require.cuda);
  drop(Topic::cudnn, result.require.cudnn);
  drop(Topic::nccl, result.require.nccl);
  drop(Topic::os, result.require.os);
  drop(Topic::driver, result.require.driver);
  result.require.gpus.clear();
  for (std::size_t i = 0; i < request.require.gpus.size(); ++i)
    if (!is_about(wishes, {Topic::gpu, i})) result.require.gpus.push_back(request.require.gpus[i]);
  result.packages.clear();
  std::size_t companion = 0;
  for (const auto& package : request.packages) {
    if (matrix::is_companion(package.name) && is_about(wishes, {Topic::package, companion++})) continue;
    result.packages.push_back(package);
  }
  return result;
}

Request with(const Request& request, const Change& change) {
  if (change.value.empty()) return without(request, {change.wish});
  Request result = request;
  const auto set = [&](auto& field, std::string_view option) {
    auto parsed = version::SpecifierSet::parse(change.value);
    TK_ASSERT(parsed, "a replacement is a version that the matrix knows");
    field = spec::Placed<version::SpecifierSet>{std::move(*parsed), {std::string(option), 0, 0}};
  };
  switch (change.wish.topic) {
    case Topic::pytorch:
      set(result.require.pytorch, "--pytorch");
      break;
    case Topic::python:
      set(result.require.python, "--python");
      break;
    case Topic::cuda:
      set(result.require.cuda, "--cuda");
      break;
    case Topic::cudnn:
      set(result.require.cudnn, "--cudnn");
      break;
    case Topic::nccl:
      set(result.require.nccl, "--nccl");
      break;
    case Topic::os:
      result.require.os = spec::Placed<std::string>{change.value, {"--os", 0, 0}};
      break;
    case Topic::driver: {
      auto driver = version::DriverVersion::parse(change.value);
      TK_ASSERT(driver, "a replacement is a driver that the matrix knows");
      result.require.driver = spec::Placed<version::DriverVersion>{std::move(*driver), {"--driver", 0, 0}};
      break;
    }
    default:
      TK_ASSERT(change.wish.topic == Topic::gpu, "packages are only taken away");
      result.require.gpus[change.wish.item] = {change.value, {"--gpu", 0, 0}};
  }
  return result;
}

std::vector<Change> changes_for(const Request& request, const matrix::Matrix& matrix, const Meaning& wish) {
  const spec::Requirements& require = request.require;
  using Values = std::set<version::Version>;
  const auto insert_known = [](const std::optional<version::Version>& value, Values& values) {
    if (value) values.insert(*value);
  };
  switch (wish.topic) {
    case Topic::pytorch:
      return version_changes(
          request, matrix, wish, require.pytorch->value, 2,
          [](const matrix::Build& build, Values& values) { values.insert(cut(build.pytorch, 2)); });
    case Topic::cuda:
      return version_changes(
          request, matrix, wish, require.cuda->value, 2,
          [](const matrix::Build& build, Values& values) { values.insert(build.cuda->as_version()); });
    case Topic::cudnn:
      return version_changes(
          request, matrix, wish, require.cudnn->value, 0,
          [&](const matrix::Build& build, Values& values) { insert_known(build.cudnn, values); });
    case Topic::nccl:
      return version_changes(request, matrix, wish, require.nccl->value, 0,
                             [&](const matrix::Build& build, Values& values) { insert_known(build.nccl, values); });
    case Topic::python:
      return version_changes(request, matrix, wish, require.python->value, 2,
                             [&](const matrix::Build& build, Values& values) {
                               for (const auto& tag : build.python)
                                 if (const auto python = version::Version::parse(tag)) values.insert(*python);
                             });
    case Topic::os:
      return system_changes(request, matrix, wish);
    case Topic::driver:
      return driver_changes(request, matrix, wish);
    case Topic::gpu:
      return gpu_changes(request, matrix, wish);
    default:
      return {{wish, "", k_steps_to_fewer_packages}};
  }
}

}  // namespace torchkiln::solver
