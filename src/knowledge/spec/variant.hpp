#pragma once
// Variants. An image is a base, which is PyTorch ready to run, and parts on top of it; a variant is the set of its
// parts. The images of one spec are a family: they share every layer up to the first part in which they differ.

#include "foundation/base/error.hpp"

#include <array>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::spec {

/// What an image may have on top of its base. The order is that of the layers.
enum class Part {
  devel,    ///< compilers and CUDA's toolkit
  jupyter,  ///< JupyterLab on port 8888
  ssh,      ///< OpenSSH on port 2222
};
inline constexpr std::array k_parts{Part::devel, Part::jupyter, Part::ssh};
/// "devel", "jupyter", "ssh".
std::string_view name(Part part);

/// A set of parts; without any it is the variant "runtime".
class Variant {
 public:
  constexpr Variant() = default;
  constexpr Variant(std::initializer_list<Part> parts) {
    for (const auto part : parts) add(part);
  }
  constexpr void add(Part part) { m_bits |= bit(part); }
  constexpr bool has(Part part) const { return (m_bits & bit(part)) != 0; }
  constexpr bool is_runtime() const { return m_bits == 0; }
  constexpr bool has_any_of(Variant other) const { return (m_bits & other.m_bits) != 0; }
  /// In the order of the layers.
  std::vector<Part> parts() const;
  auto operator<=>(const Variant&) const = default;

 private:
  static constexpr unsigned bit(Part part) { return 1U << static_cast<unsigned>(part); }
  unsigned m_bits = 0;
};

/// "runtime", "ssh", "devel+jupyter+ssh".
std::string name(Variant variant);
/// The same where "+" may not stand, as in tags: "devel-jupyter-ssh".
std::string tag_name(Variant variant);
/// Reads name()'s form, in any order and with "runtime" in it.
base::Result<Variant> parse_variant(std::string_view text);

}  // namespace torchkiln::spec
