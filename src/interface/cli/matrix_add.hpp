#pragma once
// torchkiln matrix add: what stamps have proven becomes rows of the matrix.

#include "interface/cli/commands.hpp"

namespace torchkiln::cli {

void add_matrix_add(CLI::App& command, Action& chosen);

}  // namespace torchkiln::cli
