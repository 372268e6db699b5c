#include "knowledge/upstream/wheel_facts.hpp"

#include "foundation/base/text.hpp"

#include <algorithm>

namespace torchkiln::upstream {

using base::ErrorCode;
using base::fail;
using base::Result;
using version::ComputeCapability;

namespace {

base::Unexpected bad_file(const std::string& file, const std::string& what) {
  return fail(ErrorCode::input_invalid, file + ": " + what);
}

/// The text in quotation marks after "name" and an optional type, on a line of version.py.
std::optional<std::string> assigned(std::string_view text, std::string_view name) {
  for (const auto line : base::lines(text)) {
    if (!line.starts_with(name)) continue;
    const auto after = line.substr(name.size());
    if (!after.starts_with(' ') && !after.starts_with(':') && !after.starts_with('=')) continue;
    const auto equals = after.find('=');
    if (equals == std::string_view::npos) continue;
    const auto value = base::trim(after.substr(equals + 1));
    if (value == "None") return std::string();
    if (value.size() < 2 || (value.front() != '\'' && value.front() != '"') || value.back() != value.front())
      return std::nullopt;
    return std::string(value.substr(1, value.size() - 2));
  }
  return std::nullopt;
}

/// The printable text around `at` that ends with a NUL, as C strings lie in a library; empty for none.
std::string_view c_string_around(std::string_view bytes, std::size_t at) {
  const auto is_text = [](char c) { return c >= ' ' && c < 0x7f; };
  std::size_t begin = at, end = at;
  while (begin > 0 && is_text(bytes[begin - 1])) --begin;
  while (end < bytes.size() && is_text(bytes[end])) ++end;
  if (end == bytes.size() || bytes[end] != '\0') return {};
  return bytes.substr(begin, end - begin);
}

/// One word of the list: "sm_80", "compute_120", "sm_90a".
bool add_flag(std::string_view word, LibraryFacts& facts) {
  const bool is_ptx = word.starts_with("compute_");
  if (!is_ptx && !word.starts_with("sm_")) return false;
  const auto digits = word.substr(is_ptx ? 8 : 3);
  const auto number = digits.find_first_not_of("0123456789");
  if (digits.size() < 2 || number == 0) return false;
  if (number != std::string_view::npos) {
    // An architecture or a family of its own: sm_90a, sm_100f.
    if (number + 1 != digits.size() || (digits.back() != 'a' && digits.back() != 'f')) return false;
    facts.specific.emplace_back(word);
    return true;
  }
  const auto compute = ComputeCapability::parse("sm_" + std::string(digits));
  if (!compute) return false;
  (is_ptx ? facts.ptx : *facts.sass).push_back(*compute);
  return true;
}

/// The list is flags with blanks between them; "sm_" alone stands in many other texts.
std::optional<LibraryFacts> parse_flags(std::string_view text) {
  LibraryFacts facts;
  facts.sass.emplace();
  for (const auto word : base::split(text, ' '))
    if (!add_flag(word, facts)) return std::nullopt;
  std::sort(facts.sass->begin(), facts.sass->end());
  std::sort(facts.ptx.begin(), facts.ptx.end());
  return facts;
}

void read_flags(std::string_view bytes, LibraryFacts& facts) {
  std::size_t longest = 0;
  for (auto at = bytes.find("sm_"); at != std::string_view::npos; at = bytes.find("sm_", at + 3)) {
    // Up to its NUL. What stands before is no boundary: compilers put constants of 16 bytes without a NUL there.
    const auto around = c_string_around(bytes, at);
    if (around.empty()) continue;
    const auto text = around.substr(at - static_cast<std::size_t>(around.data() - bytes.data()));
    if (text.size() <= longest) continue;
    auto found = parse_flags(text);
    if (!found) continue;
    longest = text.size();
    facts.sass = std::move(found->sass);
    facts.ptx = std::move(found->ptx);
    facts.specific = std::move(found->specific);
  }
}

void read_symbol_versions(std::string_view bytes, LibraryFacts& facts) {
  constexpr std::string_view k_prefix = "GLIBC_";
  for (auto at = bytes.find(k_prefix); at != std::string_view::npos; at = bytes.find(k_prefix, at + 1)) {
    const auto text = c_string_around(bytes, at);
    if (!text.starts_with(k_prefix)) continue;
    const auto needed = version::Version::parse(text.substr(k_prefix.size()));
    if (needed && needed->is_release_only() && (!facts.glibc || *facts.glibc < *needed)) facts.glibc = *needed;
  }
}

/// Names of c10's functions with a std::string among their arguments: mangled as "Ss" by the old ABI of libstdc++,
/// as std::__cxx11::basic_string by the new one (Itanium C++ ABI, "Mangling").
void read_abi(std::string_view bytes, LibraryFacts& facts) {
  for (auto at = bytes.find("_ZN"); at != std::string_view::npos; at = bytes.find("_ZN", at + 3)) {
    const auto rest = bytes.substr(at, 7);
    if (!rest.starts_with("_ZN3c10") && !rest.starts_with("_ZNK3c1")) continue;
    const auto symbol = c_string_around(bytes, at);
    if (symbol.find("7__cxx11") != std::string_view::npos) {
      facts.cxx11_abi = true;
      return;
    }
    if (symbol.starts_with("_ZN3c105ErrorC") && symbol.ends_with("Ss")) facts.cxx11_abi = false;
  }
}

}  // namespace

Result<VersionFile> parse_version_file(std::string_view text, const std::string& file) {
  const auto version = assigned(text, "__version__");
  const auto cuda = assigned(text, "cuda");
  if (!version || !cuda) return bad_file(file, "its torch/version.py names no version or no CUDA version");
  VersionFile result;
  TK_TRY(result.version, version::Version::parse(*version));
  if (!cuda->empty()) {
    TK_TRY(result.cuda, version::CudaVersion::parse(*cuda));
  }
  return result;
}

Result<CoreMetadata> parse_core_metadata(std::string_view text, const std::string& file) {
  CoreMetadata metadata;
  std::string version;
  for (const auto line : base::lines(text)) {
    if (line.empty()) break;  // the description follows
    const auto colon = line.find(':');
    if (line.front() == ' ' || line.front() == '\t' || colon == std::string_view::npos) continue;
    const auto key = base::lower(line.substr(0, colon));
    const std::string value(base::trim(line.substr(colon + 1)));
    if (key == "name") metadata.name = value;
    if (key == "version") version = value;
    if (key == "requires-dist") metadata.requires_dist.push_back(value);
  }
  if (metadata.name.empty() || version.empty()) return bad_file(file, "its METADATA has no name or no version");
  TK_TRY(metadata.version, version::Version::parse(version));
  return metadata;
}

LibraryFacts read_library(std::string_view bytes) {
  LibraryFacts facts;
  read_flags(bytes, facts);
  read_symbol_versions(bytes, facts);
  read_abi(bytes, facts);
  return facts;
}

}  // namespace torchkiln::upstream
