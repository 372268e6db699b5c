#pragma once
// Tells the statements of one core. Internal to the room: explain.cpp has the wishes, facts.cpp the facts.

#include "decision/solver/model.hpp"

#include <string>
#include <vector>

namespace torchkiln::solver {

/// Tells the statements of one core.
class Teller {
 public:
  Teller(const Model& model, const Active& core) : m_model(model), m_core(core) {}

  Statement tell(std::size_t constraint);

 private:
  const spec::Requirements& require() const { return m_model.request->require; }
  const matrix::Matrix& matrix() const { return m_model.matrix(); }
  bool in_core(Topic topic) const;
  /// "PyTorch 2.8.0", and of which index where that is one of the reasons.
  std::string releases() const;

  void tell_wish(const Meaning& meaning, Statement& statement) const;
  std::string unknown_pytorch() const;
  /// The row that the statement stands on.
  void cite(Statement& statement, const matrix::Provenance& from) const;
  void tell_fact(const Meaning& meaning, Statement& statement) const;
  void tell_index(Statement& statement) const;
  void tell_libraries(const Meaning& meaning, Statement& statement) const;
  void tell_kernels(const Meaning& meaning, Statement& statement) const;
  void tell_cudnn(const Meaning& meaning, Statement& statement) const;
  void tell_driver(const Meaning& meaning, Statement& statement) const;
  void tell_driver_of_gpu(const Meaning& meaning, Statement& statement) const;
  void tell_python(const Meaning& meaning, Statement& statement) const;
  void tell_systems(const Meaning& meaning, Statement& statement) const;

  const Model& m_model;
  const Active& m_core;
  std::vector<ValueSet> m_domains;
  std::vector<const matrix::Build*> m_builds;  ///< those that the other statements leave
};

/// A wish in the user's words: "PyTorch 2.15", "GPU V100".
std::string phrase(const Model& model, const Meaning& meaning);

}  // namespace torchkiln::solver
