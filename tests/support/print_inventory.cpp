// print_inventory FILE…: every machine of the inventories, joined by name, one a line. Exits 2 for what is no
// inventory.

#include "foundation/sys/files.hpp"
#include "support/describe_machine.hpp"

#include <cstdio>

int main(int count, char** arguments) {
  using namespace torchkiln;
  std::vector<host::Machine> machines;
  for (int i = 1; i < count; ++i) {
    const auto bytes = sys::read_file(arguments[i], std::uint64_t{1} << 30);
    auto read = bytes ? host::read_inventory(*bytes, std::filesystem::path(arguments[i]).filename())
                      : base::Result<std::vector<host::Machine>>(base::fail(bytes.error()));
    if (!read) {
      const auto place = read.error().where ? read.error().where->to_string() + ": " : "";
      std::fprintf(stderr, "%s%s\n", place.c_str(), read.error().message.c_str());
      return 2;
    }
    std::move(read->begin(), read->end(), std::back_inserter(machines));
  }
  for (const auto& machine : host::merge(std::move(machines))) std::printf("%s\n", test::describe(machine).c_str());
}
