#pragma once
// From a refuted model to statements: a minimal core, and what each of its constraints says in this case. Internal
// to the room.

#include "decision/solver/model.hpp"

#include <string>
#include <vector>

namespace torchkiln::solver {

/// A minimal core of a model that has no solution, in the order of Topic.
Active core_of(const Model& model);

/// What the constraints of a core say: wishes in the user's words, facts about what the rest of the core leaves.
std::vector<Statement> statements_of(const Model& model, const Active& core);

/// One line: "PyTorch 2.15 and a V100 do not go together".
std::string summary_of(const Model& model, const Active& core);

}  // namespace torchkiln::solver
