#include "knowledge/host/fields.hpp"
#include "knowledge/host/machine.hpp"

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace torchkiln::host {

namespace {

std::string words(const version::DriverVersion& driver) {
  return driver.to_string();
}
std::string words(const version::Version& release) {
  return release.to_string();
}
std::string words(const version::CudaVersion& cuda) {
  return cuda.to_string();
}
std::string words(matrix::Architecture architecture) {
  return std::string(matrix::name(architecture));
}
std::string words(Injection injection) {
  return std::string(name(injection));
}

/// Keeps the earlier of two statements of the same fact.
template <class T>
void join(std::string_view what, std::optional<Fact<T>>& fact, std::optional<Fact<T>>&& other, Machine& machine) {
  if (!other) return;
  if (!fact)
    fact = std::move(other);
  else if (fact->value != other->value)
    machine.notes.push_back(std::string(what) + " is " + words(fact->value) + " by " + fact->source + ", but " +
                            words(other->value) + " by " + other->source + "; the first is used");
}

std::uint64_t count(const std::vector<MachineGpus>& gpus) {
  std::uint64_t sum = 0;
  for (const auto& gpu : gpus) sum += gpu.count;
  return sum;
}

/// How much a list of GPUs says: all compute capabilities, else all names as the driver spells them, else less.
int detail(const std::vector<MachineGpus>& gpus) {
  if (std::all_of(gpus.begin(), gpus.end(), [](const MachineGpus& gpu) { return gpu.compute.has_value(); }))
    return 3;
  const bool named =
      std::all_of(gpus.begin(), gpus.end(), [](const MachineGpus& gpu) { return !gpu.model.empty(); });
  if (!named) return 0;
  return std::all_of(gpus.begin(), gpus.end(),
                     [](const MachineGpus& gpu) { return gpu.named_by == NamedBy::driver; })
             ? 2
             : 1;
}

void join_gpus(Machine& machine, Machine& other) {
  if (other.gpus.empty()) {
    if (!other.without_gpu.empty() && !machine.gpus.empty())
      machine.notes.push_back("GPUs are named by " + machine.gpus.front().source + ", but there are none by " +
                              other.without_gpu);
    else if (machine.without_gpu.empty() && machine.gpus.empty())
      machine.without_gpu = std::move(other.without_gpu);
    return;
  }
  if (!machine.without_gpu.empty()) {
    machine.notes.push_back("GPUs are named by " + other.gpus.front().source + ", but there are none by " +
                            machine.without_gpu);
    machine.without_gpu.clear();
  }
  if (machine.gpus.empty()) {
    machine.gpus = std::move(other.gpus);
    return;
  }
  if (count(machine.gpus) != count(other.gpus))
    machine.notes.push_back("there are " + std::to_string(count(machine.gpus)) + " GPUs by " +
                            machine.gpus.front().source + ", but " + std::to_string(count(other.gpus)) + " by " +
                            other.gpus.front().source);
  if (detail(other.gpus) > detail(machine.gpus)) machine.gpus = std::move(other.gpus);
}

void join(Machine& machine, Machine&& other) {
  join("the driver", machine.driver, std::move(other.driver), machine);
  join("the user-space driver", machine.userland, std::move(other.userland), machine);
  join_gpus(machine, other);
  join("the architecture", machine.architecture, std::move(other.architecture), machine);
  join("glibc", machine.glibc, std::move(other.glibc), machine);
  join("the compatibility package", machine.compat_package, std::move(other.compat_package), machine);
  join("the container runtime's mode", machine.injection, std::move(other.injection), machine);
  std::move(other.notes.begin(), other.notes.end(), std::back_inserter(machine.notes));
}

}  // namespace

std::vector<Machine> merge(std::vector<Machine> machines) {
  std::vector<Machine> merged;
  merged.reserve(machines.size());
  std::unordered_map<std::string, std::size_t> by_name;
  by_name.reserve(machines.size());
  for (auto& machine : machines) {
    const auto [entry, is_new] = by_name.emplace(machine.name, merged.size());
    if (is_new)
      merged.push_back(std::move(machine));
    else
      join(merged[entry->second], std::move(machine));
  }
  return merged;
}

}  // namespace torchkiln::host
