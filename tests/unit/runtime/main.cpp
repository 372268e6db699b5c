// The room starts its own program again for work in namespaces, so this one must answer to that too.

#if defined(__GNUC__) && !defined(__clang__)
// g++ 12 with sanitizers thinks so of libstdc++'s std::regex, which Catch2 uses (GCC bug 105562).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#define CATCH_CONFIG_RUNNER
#include "assembly/runtime/inner.hpp"

#include <catch2/catch.hpp>
#include <string_view>

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == torchkiln::runtime::k_inner_command)
    return torchkiln::runtime::inner_main(argc, argv);
  return Catch::Session().run(argc, argv);
}
