#include "decision/diagnosis/bearing.hpp"

#include "decision/solver/rules.hpp"
#include "foundation/base/text.hpp"
#include "knowledge/matrix/query.hpp"

#include <algorithm>
#include <initializer_list>
#include <set>

#include <fmt/format.h>

namespace torchkiln::diagnosis {

namespace {

std::string place_of(const matrix::Provenance& from) {
  return from.place.to_string();
}

std::string joined(std::initializer_list<std::string> sources) {
  std::string text;
  for (const auto& source : sources)
    if (!source.empty()) text += (text.empty() ? "" : ", ") + source;
  return text;
}

/// A GPU here, with its compute capability where it is known.
struct KnownGpu {
  std::string name;
  version::ComputeCapability compute;
  std::string source;
};

class Bearings {
 public:
  Bearings(const Finding& finding, const host::Machine& machine, const matrix::Matrix& matrix)
      : m_finding(finding), m_machine(machine), m_matrix(matrix) {}

  std::vector<Bearing> all() {
    const auto is = [&](std::initializer_list<std::string_view> ids) {
      return std::find(ids.begin(), ids.end(), m_finding.id) != ids.end();
    };
    if (!m_machine.driver && m_machine.gpus.empty() &&
        is({"E01", "E02", "E03", "E04", "E05", "E06", "E07", "E08", "E09", "E10", "E11", "E13", "E18", "E21"})) {
      no_driver();
      return std::move(m_bearings);
    }
    if (is({"E01", "E03", "E06", "E10", "E18", "E21"})) driver();
    if (is({"E04", "E05", "E07", "E09"})) driver_is_here();
    if (is({"E03", "E08", "E10"})) userland();
    if (is({"E03", "E10"})) compat_package();
    if (is({"E06"})) condition();
    if (is({"E02"})) kernels();
    if (is({"E11"})) fabric_manager();
    if (is({"E02", "E03", "E11", "E13"})) gpus();
    return std::move(m_bearings);
  }

 private:
  void say(std::string text, std::string source) { m_bearings.push_back({std::move(text), std::move(source)}); }

  std::string detail(std::string_view name) const {
    for (const auto& one : m_finding.details)
      if (one.name == name) return one.value;
    return "";
  }

  void no_driver() {
    say("no NVIDIA driver was found here", m_machine.notes.empty() ? "" : m_machine.notes.front());
  }

  void driver() {
    if (!m_machine.driver) return no_driver();
    const auto& fact = *m_machine.driver;
    auto text = "the driver here is " + fact.value.to_string();
    auto source = fact.source;
    if (const auto cuda = solver::cuda_of(m_matrix, fact.value)) {
      text += ", whose own CUDA is " + cuda->to_string();
      if (const auto* row = matrix::find_toolkit(m_matrix, *cuda)) source = joined({source, place_of(row->from)});
      const auto found = detail("driver_cuda");
      if (!found.empty() && found != version::CudaVersion{cuda->major, cuda->minor, 0}.to_string())
        text += ": the error is of another driver than this one, or of a container with a libcuda of its own";
    }
    say(std::move(text), std::move(source));
  }

  void driver_is_here() {
    if (!m_machine.driver) return no_driver();
    say("a driver is here (" + m_machine.driver->value.to_string() +
            "): the program did not reach it from inside its "
            "container",
        m_machine.driver->source);
  }

  void userland() {
    if (!m_machine.driver || !m_machine.userland) return;
    const auto& kernel = *m_machine.driver;
    const auto& library = *m_machine.userland;
    const auto text = kernel.value == library.value
                          ? "kernel module and libraries here are both of driver " + kernel.value.to_string()
                          : "the kernel module here is of driver " + kernel.value.to_string() +
                                ", the libraries are of " + library.value.to_string() + ": reboot";
    say(text, joined({kernel.source, library.source}));
  }

  void compat_package() {
    if (m_machine.compat_package)
      say("a compat package for CUDA " + m_machine.compat_package->value.to_string() +
              " is on the library path here",
          m_machine.compat_package->source);
  }

  /// "cuda>=12.8" against the driver here.
  void condition() {
    const auto text = detail("condition");
    constexpr std::string_view k_cuda = "cuda>=";
    if (!text.starts_with(k_cuda)) return;
    const auto cuda = version::CudaVersion::parse(text.substr(k_cuda.size()));
    if (!cuda) return;
    const auto* row = matrix::find_toolkit(m_matrix, *cuda);
    if (!row) return;
    auto said = fmt::format("drivers from {} on call their CUDA {}", row->driver.to_string(), cuda->to_string());
    if (m_machine.driver)
      said += m_machine.driver->value < row->driver ? ": the one here is older" : ": the one here should do";
    say(std::move(said), joined({place_of(row->from), m_machine.driver ? m_machine.driver->source : ""}));
  }

  std::vector<KnownGpu> known_gpus() const {
    std::vector<KnownGpu> known;
    for (const auto& gpu : m_machine.gpus) {
      const auto row = matrix::find_gpu(m_matrix, gpu.model);
      const auto name = gpu.model.empty() ? "a GPU" : gpu.model;
      if (gpu.compute)
        known.push_back({name, *gpu.compute, gpu.source});
      else if (row)
        known.push_back({name, row->compute, joined({gpu.source, row->row ? place_of(row->row->from) : ""})});
    }
    return known;
  }

  void gpus() {
    for (const auto& gpu : known_gpus())
      say(fmt::format("{} here has compute capability {} ({})", gpu.name, gpu.compute.to_string(),
                      gpu.compute.sm()),
          gpu.source);
  }

  /// The newest release that has machine code for a GPU here, in the build that upstream prefers.
  void kernels() {
    std::set<version::ComputeCapability> told;
    for (const auto& gpu : known_gpus()) {
      if (!told.insert(gpu.compute).second) continue;
      const auto build =
          std::find_if(m_matrix.builds.begin(), m_matrix.builds.end(), [&](const matrix::Build& one) {
            return solver::has_sass(one, gpu.compute) &&
                   (!m_machine.architecture || one.architecture == m_machine.architecture->value);
          });
      if (build == m_matrix.builds.end())
        say("no build that the matrix knows has kernels for " + gpu.compute.sm(), m_matrix.directory);
      else
        say(fmt::format("the newest build with kernels for {} is PyTorch {}", gpu.compute.sm(),
                        build->full_version().to_string()),
            place_of(build->from));
    }
  }

  void fabric_manager() {
    if (m_machine.driver)
      say("the fabric manager has to be of version " + m_machine.driver->value.to_string() + ", as the driver here",
          m_machine.driver->source);
  }

  const Finding& m_finding;
  const host::Machine& m_machine;
  const matrix::Matrix& m_matrix;
  std::vector<Bearing> m_bearings;
};

}  // namespace

std::vector<Bearing> bearings(const Finding& finding, const host::Machine& machine, const matrix::Matrix& matrix) {
  return Bearings(finding, machine, matrix).all();
}

}  // namespace torchkiln::diagnosis
