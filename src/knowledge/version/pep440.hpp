#pragma once
// Python package versions: PEP 440's Version and SpecifierSet, complete but for the arbitrary-equality operator.
// CUDA, cuDNN, NCCL and Python versions are compared with the same specifiers.

#include "foundation/base/error.hpp"

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::version {

/// A PEP 440 version such as 2.8.0, 3.0rc1 or 2.8.0+cu128. Equality and order are PEP 440's: 2.8 == 2.8.0, and a
/// local part sorts after the same version without one.
class Version {
 public:
  /// Accepts what PEP 440 accepts (also "v2.8", "2.8-rc.1"); input_invalid for anything else.
  static base::Result<Version> parse(std::string_view text);
  /// From release numbers alone, for example {12, 8}.
  static Version of(std::vector<std::uint64_t> release);

  Version() : m_release{0} {}

  /// The normal form (PEP 440, "Normalization"), for example "2.8.0+cu128".
  std::string to_string() const;
  /// The release numbers as written: {2, 8, 0}.
  const std::vector<std::uint64_t>& release() const { return m_release; }
  /// The release number at `index`, 0 where it is not written.
  std::uint64_t part(std::size_t index) const { return index < m_release.size() ? m_release[index] : 0; }
  /// The local part, "cu128"; empty when there is none.
  std::string local() const;
  /// The same version without its local part.
  Version without_local() const;
  /// True for alpha, beta, release-candidate and development versions.
  bool is_prerelease() const { return m_pre.has_value() || m_dev.has_value(); }
  /// True when there is no pre-release, post-release, development or local part.
  bool is_release_only() const { return !m_pre && !m_post && !m_dev && m_local.empty(); }
  /// True when the numbers of `prefix` begin this version's numbers ("==2.8.*" in PEP 440).
  bool starts_with(const Version& prefix) const;

  std::strong_ordering operator<=>(const Version& other) const;
  bool operator==(const Version& other) const { return (*this <=> other) == std::strong_ordering::equal; }

 private:
  friend class SpecifierSet;
  struct Pre {
    int kind;  ///< 0 alpha, 1 beta, 2 release candidate
    std::uint64_t number;
  };
  std::uint64_t m_epoch = 0;
  std::vector<std::uint64_t> m_release;
  std::optional<Pre> m_pre;
  std::optional<std::uint64_t> m_post;
  std::optional<std::uint64_t> m_dev;
  std::vector<std::string> m_local;  ///< lower-case segments, numbers without leading zeros
};

/// A comma-separated list of version clauses, all of which must hold. A clause without an operator is a prefix:
/// "2.8" means "==2.8.*" (a version that is more than release numbers means "=="). An empty set holds always.
class SpecifierSet {
 public:
  /// input_invalid for anything PEP 440 does not define, and for "===".
  static base::Result<SpecifierSet> parse(std::string_view text);

  /// PEP 440: pre-releases only match when a clause names one.
  bool contains(const Version& version) const;
  bool is_empty() const { return m_clauses.empty(); }
  /// True when a clause names a local version ("==2.8.0+cu128").
  bool names_local() const;
  /// The most release numbers that a clause names: 2 for "3.11", 3 for ">=3.9,<3.11.4".
  std::size_t longest_release() const;
  /// The version of a set that is one "==" clause, be it a prefix or not; nothing for any other set.
  std::optional<Version> lone_equal() const;
  /// The version that the first clause other than "!=" names: what the set is about.
  std::optional<Version> anchor() const;
  /// As the user wrote it, without white space at the ends.
  const std::string& text() const { return m_text; }
  /// The same meaning in one spelling: "==2.8.*", clauses sorted.
  std::string to_string() const;

 private:
  enum class Operator { equal, not_equal, less, less_equal, greater, greater_equal, compatible };
  struct Clause {
    Operator op;
    Version version;
    bool prefix;  ///< "==2.8.*" or "!=2.8.*"
    bool matches(const Version& candidate) const;
    bool same_release(const Version& candidate) const;
    std::string to_string() const;
  };
  static base::Result<Clause> parse_clause(std::string_view text);
  std::vector<Clause> m_clauses;
  std::string m_text;
};

}  // namespace torchkiln::version
