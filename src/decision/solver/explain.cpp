#include "decision/solver/explain.hpp"

#include "decision/solver/teller.hpp"
#include "decision/solver/words.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace torchkiln::solver {

namespace {

/// A requirement on versions as the user wrote it.
template <class T>
std::string said(std::string_view what, const spec::Placed<T>& wish) {
  return fmt::format("{} {}", what, wish.value.text());
}

}  // namespace

std::string phrase(const Model& model, const Meaning& meaning) {
  const spec::Requirements& require = model.request->require;
  switch (meaning.topic) {
    case Topic::pytorch:
      return said("PyTorch", *require.pytorch);
    case Topic::cuda:
      return said("CUDA", *require.cuda);
    case Topic::cudnn:
      return said("cuDNN", *require.cudnn);
    case Topic::nccl:
      return said("NCCL", *require.nccl);
    case Topic::python:
      return said("Python", *require.python);
    case Topic::os:
      return require.os->value;
    case Topic::driver:
      return "driver " + require.driver->value.to_string();
    case Topic::gpu:
      return model.gpus[meaning.item].row ? "GPU " + model.gpus[meaning.item].name
                                          : "a GPU of " + gpu_in_words(model.gpus[meaning.item]);
    default:
      return model.packages[meaning.item]->text;
  }
}

Statement Teller::tell(std::size_t constraint) {
  // What the other statements leave open is what this one is about. It has a solution, since the core is minimal.
  Active others = m_core;
  std::erase(others, constraint);
  auto domains = propagate(m_model.problem, others);
  TK_ASSERT(domains, "a core that is minimal has solutions without any one of its constraints");
  m_domains = std::move(*domains);
  m_builds.clear();
  m_domains[m_model.build].for_each(
      [&](std::size_t value) { m_builds.push_back(m_model.catalogue->builds[value]); });
  const Meaning& meaning = m_model.meanings[constraint];
  Statement statement;
  statement.kind = is_wish(meaning.topic) ? Statement::Kind::wish : Statement::Kind::fact;
  if (is_wish(meaning.topic))
    tell_wish(meaning, statement);
  else
    tell_fact(meaning, statement);
  return statement;
}

std::string Teller::unknown_pytorch() const {
  std::vector<const matrix::Build*> same_release;
  for (const auto* build : m_model.catalogue->builds)
    if (require().pytorch->value.names_local() && require().pytorch->value.anchor() &&
        build->pytorch == require().pytorch->value.anchor()->without_local())
      same_release.push_back(build);
  if (same_release.empty())
    return fmt::format("the manifests know {} for {}", releases_of(m_model.catalogue->builds),
                       name(m_model.request->architecture));
  std::vector<std::string> variants;
  for (const auto* build : same_release) variants.push_back(build->variant);
  return fmt::format("{} comes as {}", releases_of(same_release), enumerated(variants));
}

void Teller::tell_wish(const Meaning& meaning, Statement& statement) const {
  const std::string wish = phrase(m_model, meaning);
  const auto say = [&](std::string text, const base::Place& place) {
    statement.statement = std::move(text);
    statement.source = place.to_string();
  };
  const bool alone = m_core.size() == 1;
  switch (meaning.topic) {
    case Topic::pytorch:
      return say(alone ? fmt::format("{} is required; {}", wish, unknown_pytorch()) : wish + " is required",
                 require().pytorch->place);
    case Topic::gpu:
      return say(gpu_in_words(m_model.gpus[meaning.item]) + " must be served", require().gpus[meaning.item].place);
    case Topic::driver:
      return say(wish + " must be enough", require().driver->place);
    case Topic::cuda: {
      std::vector<std::string> known;
      for (auto cuda = m_model.catalogue->cudas.rbegin(); cuda != m_model.catalogue->cudas.rend(); ++cuda)
        known.push_back(cuda->to_string());
      return say(alone ? fmt::format("{} is required; PyTorch is built for {}", wish, enumerated(known))
                       : wish + " is required",
                 require().cuda->place);
    }
    case Topic::cudnn:
      return say(wish + " is required" + (alone ? "; no build has it" : ""), require().cudnn->place);
    case Topic::nccl:
      return say(wish + " is required" + (alone ? "; no build has it" : ""), require().nccl->place);
    case Topic::python:
      return say(alone ? fmt::format("{} is required; the manifests know {}", wish,
                                     pythons_in_words(m_model.catalogue->pythons))
                       : wish + " is required",
                 require().python->place);
    case Topic::os:
      return say(wish + " is required", require().os->place);
    default:
      return say(wish + " must be installed" + (alone ? "; there is no such release" : ""),
                 m_model.packages[meaning.item]->place);
  }
}

Active core_of(const Model& model) {
  Active core = minimal_core(model.problem, model.all());
  std::sort(core.begin(), core.end());
  return core;
}

std::vector<Statement> statements_of(const Model& model, const Active& core) {
  std::vector<Statement> statements;
  Teller teller(model, core);
  const auto is_told = [&](std::size_t index) {
    return std::any_of(core.begin(), core.end(), [&](std::size_t other) {
      return other < index && model.meanings[other] == model.meanings[index];
    });
  };
  for (const std::size_t index : core)
    if (!is_told(index)) statements.push_back(teller.tell(index));
  return statements;
}

std::string summary_of(const Model& model, const Active& core) {
  std::vector<std::string> wishes;
  for (const std::size_t index : core)
    if (is_wish(model.meanings[index].topic)) wishes.push_back(phrase(model, model.meanings[index]));
  if (wishes.empty()) return "the manifests hold no combination at all";
  if (wishes.size() == 1) return wishes.front() + " cannot be had";
  return enumerated(wishes) + " do not go together";
}

}  // namespace torchkiln::solver
