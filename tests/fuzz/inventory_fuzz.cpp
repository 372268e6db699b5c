// Inventories, of every kind: their bytes come from other machines. Whatever they are, reading them ends, and what
// it gives can be joined and printed.

#include "knowledge/host/fields.hpp"
#include "knowledge/host/machine.hpp"

#include <algorithm>
#include <set>

using namespace torchkiln;

namespace {

void expect_sound(const std::vector<host::Machine>& machines) {
  std::set<std::string> names;
  for (const auto& machine : machines) {
    TK_ASSERT(!machine.name.empty(), "a machine has a name");
    TK_ASSERT(names.insert(machine.name).second, "names are unique within an inventory");
    TK_ASSERT(machine.gpus.size() <= host::k_gpu_kinds_max + 2, "kinds of GPU are limited");
    for (const auto& gpu : machine.gpus) {
      TK_ASSERT(gpu.count >= 1 && gpu.count <= host::k_gpus_max, "a kind of GPU is there once at least");
      TK_ASSERT(!gpu.source.empty(), "a fact has a source");
      TK_ASSERT(gpu.model == host::printable(gpu.model), "models are fit for a terminal");
    }
    TK_ASSERT(!machine.driver || !machine.driver->source.empty(), "a fact has a source");
    for (const auto& note : machine.notes) TK_ASSERT(note == host::printable(note), "notes are fit for a terminal");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (auto machines = host::read_inventory(bytes, "inventory")) {
    TK_ASSERT(!machines->empty(), "an inventory names a machine");
    expect_sound(*machines);
    auto twice = *machines;
    twice.insert(twice.end(), machines->begin(), machines->end());
    TK_ASSERT(host::merge(std::move(twice)).size() == machines->size(),
              "the same inventory twice is the same machines");
  } else {
    TK_ASSERT(machines.error().message == host::printable(machines.error().message),
              "errors are fit for a terminal");
  }
  if (const auto machine = host::parse_machine(bytes))
    expect_sound({*machine});
  else
    TK_ASSERT(machine.error().message == host::printable(machine.error().message), "errors are fit for a terminal");
  return 0;
}
