#include "knowledge/spec/variant.hpp"

#include "foundation/base/text.hpp"

#include <fmt/format.h>

namespace torchkiln::spec {

using base::ErrorCode;

namespace {

constexpr std::string_view k_runtime = "runtime";

std::string joined(Variant variant, std::string_view separator) {
  std::vector<std::string> names;
  for (const auto part : variant.parts()) names.emplace_back(name(part));
  return names.empty() ? std::string(k_runtime) : base::join(names, separator);
}

base::Unexpected unknown_variant(std::string_view text) {
  std::vector<std::string> known{std::string(k_runtime)};
  for (const auto part : k_parts) known.emplace_back(name(part));
  const auto guess = base::nearest(text, known);
  return base::fail(ErrorCode::input_invalid, fmt::format("there is no variant \"{}\"", text),
                    {guess ? fmt::format("did you mean \"{}\"?", *guess)
                           : "variants are " + base::join(known, ", ") + ", and several joined with \"+\""});
}

}  // namespace

std::string_view name(Part part) {
  constexpr std::array<std::string_view, k_parts.size()> k_names{"devel", "jupyter", "ssh"};
  return k_names[static_cast<std::size_t>(part)];
}

std::vector<Part> Variant::parts() const {
  std::vector<Part> parts;
  for (const auto part : k_parts)
    if (has(part)) parts.push_back(part);
  return parts;
}

std::string name(Variant variant) {
  return joined(variant, "+");
}

std::string tag_name(Variant variant) {
  return joined(variant, "-");
}

base::Result<Variant> parse_variant(std::string_view text) {
  Variant variant;
  for (const auto piece : base::split(text, '+')) {
    if (piece == k_runtime) continue;
    const auto before = variant;
    for (const auto part : k_parts)
      if (name(part) == piece) {
        if (variant.has(part))
          return base::fail(ErrorCode::input_invalid, fmt::format("\"{}\" names {} twice", text, piece));
        variant.add(part);
      }
    if (variant == before) return unknown_variant(piece);
  }
  return variant;
}

}  // namespace torchkiln::spec
