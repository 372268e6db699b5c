// The room starts its own program again for work in namespaces, so this one must answer to that too.

#define CATCH_CONFIG_RUNNER
#include "assembly/runtime/inner.hpp"

#include <catch2/catch.hpp>
#include <string_view>

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == torchkiln::runtime::k_inner_command)
    return torchkiln::runtime::inner_main(argc, argv);
  return Catch::Session().run(argc, argv);
}
