#include "decision/audit/nvidia_require.hpp"

#include "foundation/base/text.hpp"

#include <array>
#include <utility>

#include <fmt/format.h>

namespace torchkiln::audit {

namespace {

/// Longer than any environment variable that an image would carry; the official strings have about 2 kB.
constexpr std::size_t k_requirement_bytes_max = 64U << 10;
constexpr std::string_view k_operator_characters = "<>=!";

/// "GeForce RTX" and "geforcertx" are one brand: the runtime knows the latter, nvidia-smi prints the former.
std::string brand_key(std::string_view text) {
  return base::replace_all(base::lower(text), " ", "");
}

}  // namespace

/// Versions as lists of numbers; nothing where the fact is not known.
struct NvidiaRequirement::DeviceNumbers {
  std::optional<Numbers> cuda, driver, arch;
  std::string brand;
};

/// Digits with dots between them. As the runtime does, several dots count as one and dots at the end do not count.
std::optional<NvidiaRequirement::Numbers> NvidiaRequirement::numbers(std::string_view text) {
  Numbers result;
  for (const auto part : base::split(text, '.')) {
    if (part.empty() && !result.empty()) continue;
    const auto value = base::parse_integer(part);
    if (!value || part.front() < '0' || part.front() > '9') return std::nullopt;
    result.push_back(static_cast<std::uint64_t>(*value));
  }
  // Missing numbers are zeros.
  while (!result.empty() && result.back() == 0) result.pop_back();
  return result;
}

NvidiaRequirement::Factor NvidiaRequirement::parse_factor(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, Property>, 4> k_properties{{{"cuda", Property::cuda},
                                                                               {"driver", Property::driver},
                                                                               {"arch", Property::arch},
                                                                               {"brand", Property::brand}}};
  // A lone "!" is taken as "!=": the runtime compares only as many characters as there are.
  constexpr std::array<std::pair<std::string_view, Operator>, 7> k_operators{{{"=", Operator::equal},
                                                                              {"!=", Operator::not_equal},
                                                                              {"!", Operator::not_equal},
                                                                              {"<", Operator::less},
                                                                              {"<=", Operator::less_equal},
                                                                              {">", Operator::greater},
                                                                              {">=", Operator::greater_equal}}};
  const auto wrong = [&](std::string why) {
    m_faults.push_back(fmt::format("\"{}\": {}", text, why));
    return Factor{};
  };
  const std::size_t name_end = text.find_first_of(k_operator_characters);
  if (name_end == std::string_view::npos) return wrong("there is no comparison in it");
  const std::size_t value_at = text.find_first_not_of(k_operator_characters, name_end);
  const std::string_view sign = text.substr(name_end, value_at - name_end);
  const std::string_view value = value_at == std::string_view::npos ? std::string_view() : text.substr(value_at);
  Factor factor;
  const auto find = [](const auto& table, std::string_view word, auto& into) {
    for (const auto& [known, meaning] : table)
      if (known == word) return into = meaning, true;
    return false;
  };
  const std::string property = base::lower(text.substr(0, name_end));
  if (!find(k_operators, sign, factor.op)) return wrong(fmt::format("there is no comparison {}", sign));
  if (value.empty()) return wrong("the value is missing");
  if (!find(k_properties, property, factor.property))
    return wrong(fmt::format("there is no property \"{}\", only cuda, driver, arch and brand", property));
  factor.is_malformed = false;
  if (factor.property == Property::brand) {
    if (factor.op != Operator::equal && factor.op != Operator::not_equal)
      return wrong("brands are only compared with = and !=");
    factor.brand = brand_key(value);
    return factor;
  }
  auto parsed = numbers(value);
  if (!parsed) return wrong(fmt::format("\"{}\" is not a version", value));
  factor.numbers = std::move(*parsed);
  if (factor.property == Property::cuda && factor.op == Operator::greater_equal && m_cuda.empty()) m_cuda = value;
  return factor;
}

NvidiaRequirement NvidiaRequirement::parse(std::string_view text) {
  NvidiaRequirement requirement;
  requirement.m_text = text;
  if (text.size() > k_requirement_bytes_max) {
    requirement.m_faults.push_back(fmt::format("longer than {} bytes", k_requirement_bytes_max));
    requirement.m_alternatives.push_back({Factor{}});
    return requirement;
  }
  for (const auto term : base::split(text, ' ')) {
    if (term.empty()) continue;
    std::vector<Factor> factors;
    for (const auto factor : base::split(term, ','))
      if (!factor.empty()) factors.push_back(requirement.parse_factor(factor));
    requirement.m_alternatives.push_back(std::move(factors));
  }
  return requirement;
}

NvidiaRequirement::Answer NvidiaRequirement::ask_factor(const Factor& factor, const DeviceNumbers& device) {
  const auto answer = [](bool holds) { return holds ? Answer::met : Answer::unmet; };
  if (factor.is_malformed) return Answer::malformed;
  if (factor.property == Property::brand) {
    if (device.brand.empty()) return Answer::unknown;
    return answer((device.brand == factor.brand) == (factor.op == Operator::equal));
  }
  const auto& fact = factor.property == Property::cuda     ? device.cuda
                     : factor.property == Property::driver ? device.driver
                                                           : device.arch;
  if (!fact) return Answer::unknown;
  switch (factor.op) {
    case Operator::equal:
      return answer(*fact == factor.numbers);
    case Operator::not_equal:
      return answer(*fact != factor.numbers);
    case Operator::less:
      return answer(*fact < factor.numbers);
    case Operator::less_equal:
      return answer(*fact <= factor.numbers);
    case Operator::greater:
      return answer(*fact > factor.numbers);
    default:
      return answer(*fact >= factor.numbers);
  }
}

NvidiaRequirement::Answer NvidiaRequirement::ask(const RequirementFacts& facts) const {
  const auto known = [](const std::string& text) { return text.empty() ? std::nullopt : numbers(text); };
  const DeviceNumbers device{known(facts.cuda), known(facts.driver), known(facts.arch), brand_key(facts.brand)};
  if (m_alternatives.empty()) return Answer::met;
  bool undecided = false;
  for (const auto& factors : m_alternatives) {
    Answer term = Answer::met;
    for (const auto& factor : factors) {
      const Answer one = ask_factor(factor, device);
      // What the runtime comes to depends on what is not known.
      if (one == Answer::malformed) return undecided || term == Answer::unknown ? Answer::unknown : one;
      if (one == Answer::unmet) {
        term = one;
        break;
      }
      if (one == Answer::unknown) term = one;
    }
    if (term == Answer::met) return term;
    undecided = undecided || term == Answer::unknown;
  }
  return undecided ? Answer::unknown : Answer::unmet;
}

}  // namespace torchkiln::audit
