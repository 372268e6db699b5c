#include "interface/cli/cli.hpp"

int main(int argc, char** argv) {
  return torchkiln::cli::run(argc, argv);
}
