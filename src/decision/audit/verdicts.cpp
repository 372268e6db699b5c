#include "decision/audit/verdicts.hpp"

#include <algorithm>
#include <map>
#include <string>

namespace torchkiln::audit {

using Answer = NvidiaRequirement::Answer;

Verdicts::Verdicts(const Judge& judge, const std::vector<ImageFacts>& images)
    : m_judge(judge), m_candidates(judge.matrix().builds.size()) {
  for (const auto architecture : {matrix::Architecture::x86_64, matrix::Architecture::aarch64})
    for (const auto& candidate : judge.candidates(architecture))
      m_candidates[static_cast<std::size_t>(candidate.build - judge.matrix().builds.data())] = &candidate;
  std::map<std::vector<std::string>, std::size_t> sets;
  for (const auto& facts : images) {
    std::vector<std::string> texts;
    for (const auto& requirement : facts.requirements) texts.push_back(requirement.text());
    const auto [at, is_new] = sets.emplace(std::move(texts), m_requirements.size());
    if (is_new) m_requirements.push_back(&facts);
    m_images.push_back({&facts, at->second});
  }
}

void Verdicts::judge(const MachineFacts& machine, Verdict* row) {
  m_machine = machine;
  m_without_glibc = machine;
  m_without_glibc.glibc.reset();
  m_cores.assign(m_candidates.size(), {});
  m_answers.assign(m_requirements.size(), -1);
  for (const auto& image : m_images) *row++ = judge_one(image);
}

const Verdicts::Core& Verdicts::core(const matrix::Build& build) {
  const auto number = static_cast<std::size_t>(&build - m_judge.matrix().builds.data());
  Core& core = m_cores[number];
  if (core.is_known) return core;
  const auto assessment = m_judge.assess(m_without_glibc, m_candidates[number]->facts);
  core.is_known = true;
  core.fails = !assessment.findings.empty();
  if (core.fails) core.first = assessment.findings.front().rule;
  core.running = assessment.verdict;
  return core;
}

/// The worst that the image's requirements come to.
Answer Verdicts::answer(const ImagePart& image) {
  int& known = m_answers[image.requirements];
  if (known >= 0) return static_cast<Answer>(known);
  Answer worst = Answer::met;
  for (const auto& requirement : image.facts->requirements) {
    const Answer one = Judge::ask(requirement, m_machine);
    if (one == Answer::malformed) worst = Answer::unmet;
    if (one == Answer::unmet || (one == Answer::unknown && worst == Answer::met)) worst = one;
  }
  known = static_cast<int>(worst);
  return worst;
}

Verdict Verdicts::judge_one(const ImagePart& image) {
  const ImageFacts& facts = *image.facts;
  const auto& on = facts.on[static_cast<std::size_t>(Judge::architecture_of(m_machine, facts))];
  const bool is_plain =
      facts.has_pytorch && on.build && on.build->cuda && !(on.may_break_by_gpu && !on.packages.empty());
  if (!is_plain) return m_judge.assess(m_machine, facts).verdict;
  const Core& between = core(*on.build);
  bool fails = between.fails;
  Rule first = between.first;
  const auto fail = [&](Rule rule) {
    first = fails ? std::min(first, rule) : rule;
    fails = true;
  };
  if (m_machine.architecture && facts.architecture && *m_machine.architecture != *facts.architecture)
    fail(Rule::architecture);
  const auto& glibc = facts.glibc ? facts.glibc : m_machine.glibc;
  if (glibc && *glibc < on.build->glibc) fail(Rule::glibc);
  if (!on.findings.empty()) fail(on.findings.front().rule);
  if (!facts.requirements.empty() && m_machine.checks_requirements && !m_machine.has_no_gpu) {
    const Answer requirements = answer(image);
    if (requirements == Answer::unmet) fail(Rule::nvidia_require);
    if (requirements == Answer::unknown) fail(Rule::nvidia_require_unknown);
  }
  return fails ? verdict_of(first) : between.running;
}

Newest Verdicts::newest() {
  Newest found{};
  for (const auto architecture : {matrix::Architecture::x86_64, matrix::Architecture::aarch64}) {
    if (m_machine.architecture && *m_machine.architecture != architecture) continue;
    for (const auto& candidate : m_judge.candidates(architecture)) {
      if (m_machine.glibc && *m_machine.glibc < candidate.build->glibc) continue;
      if (core(*candidate.build).fails) continue;
      found[static_cast<std::size_t>(architecture)] = candidate.build;
      break;
    }
  }
  return found;
}

}  // namespace torchkiln::audit
