#include "proof/sbom/licence.hpp"

#include "foundation/base/text.hpp"
#include "foundation/document/json.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace torchkiln::sbom {

namespace {

/// Licences of SPDX's list that packages in images like ours have. One that is missing is still told, as a text.
constexpr std::string_view k_licences[] = {"0BSD",
                                           "AFL-2.1",
                                           "AFL-3.0",
                                           "AGPL-3.0-only",
                                           "AGPL-3.0-or-later",
                                           "Apache-1.1",
                                           "Apache-2.0",
                                           "Artistic-2.0",
                                           "BSD-1-Clause",
                                           "BSD-2-Clause",
                                           "BSD-3-Clause",
                                           "BSD-4-Clause",
                                           "BSL-1.0",
                                           "CC-BY-4.0",
                                           "CC-BY-SA-4.0",
                                           "CC0-1.0",
                                           "CNRI-Python",
                                           "EPL-1.0",
                                           "EPL-2.0",
                                           "GPL-1.0-only",
                                           "GPL-2.0-only",
                                           "GPL-2.0-or-later",
                                           "GPL-3.0-only",
                                           "GPL-3.0-or-later",
                                           "HPND",
                                           "IJG",
                                           "ISC",
                                           "LGPL-2.0-only",
                                           "LGPL-2.0-or-later",
                                           "LGPL-2.1-only",
                                           "LGPL-2.1-or-later",
                                           "LGPL-3.0-only",
                                           "LGPL-3.0-or-later",
                                           "MIT",
                                           "MIT-0",
                                           "MIT-CMU",
                                           "MPL-1.1",
                                           "MPL-2.0",
                                           "MS-PL",
                                           "NCSA",
                                           "OFL-1.1",
                                           "OpenSSL",
                                           "PSF-2.0",
                                           "Python-2.0",
                                           "Python-2.0.1",
                                           "Ruby",
                                           "Unicode-3.0",
                                           "Unicode-DFS-2016",
                                           "Unlicense",
                                           "UPL-1.0",
                                           "W3C",
                                           "WTFPL",
                                           "X11",
                                           "Zlib",
                                           "ZPL-2.1"};
constexpr std::string_view k_exceptions[] = {"Classpath-exception-2.0", "GCC-exception-3.1", "LLVM-exception",
                                             "Bison-exception-2.2"};

/// Names with one meaning, of classifiers (the Python index's list of them) and of the field License, in lower
/// case.
constexpr std::pair<std::string_view, std::string_view> k_names[] = {
    {"apache 2", "Apache-2.0"},
    {"apache 2.0", "Apache-2.0"},
    {"apache 2.0 license", "Apache-2.0"},
    {"apache license 2.0", "Apache-2.0"},
    {"apache license, version 2.0", "Apache-2.0"},
    {"apache license version 2.0", "Apache-2.0"},
    {"3-clause bsd license", "BSD-3-Clause"},
    {"bsd 3-clause", "BSD-3-Clause"},
    {"bsd 3-clause license", "BSD-3-Clause"},
    {"bsd-3-clause license", "BSD-3-Clause"},
    {"new bsd license", "BSD-3-Clause"},
    {"bsd 2-clause", "BSD-2-Clause"},
    {"bsd 2-clause license", "BSD-2-Clause"},
    {"cc0 1.0 universal (cc0 1.0) public domain dedication", "CC0-1.0"},
    {"isc license (iscl)", "ISC"},
    {"isc license", "ISC"},
    {"mit license", "MIT"},
    {"mit no attribution license (mit-0)", "MIT-0"},
    {"mozilla public license 2.0 (mpl 2.0)", "MPL-2.0"},
    {"mpl 2.0", "MPL-2.0"},
    {"psf license", "PSF-2.0"},
    {"python software foundation license", "PSF-2.0"},
    {"the unlicense (unlicense)", "Unlicense"},
    {"zlib/libpng license", "Zlib"},
    {"zero-clause bsd (0bsd)", "0BSD"},
    {"gnu general public license v2 or later (gplv2+)", "GPL-2.0-or-later"},
    {"gnu general public license v3 or later (gplv3+)", "GPL-3.0-or-later"},
    {"gnu lesser general public license v2 or later (lgplv2+)", "LGPL-2.0-or-later"},
    {"gnu lesser general public license v3 or later (lgplv3+)", "LGPL-3.0-or-later"}};

constexpr std::string_view k_reference = "LicenseRef-";

/// The entry that is `word` but for upper and lower case; empty for none.
template <std::size_t N>
std::string_view listed(const std::string_view (&list)[N], std::string_view word) {
  const auto wanted = base::lower(word);
  const auto found =
      std::find_if(std::begin(list), std::end(list), [&](auto one) { return base::lower(one) == wanted; });
  return found == std::end(list) ? std::string_view() : *found;
}

bool is_reference(std::string_view word) {
  return word.starts_with(k_reference) && word.size() > k_reference.size() &&
         std::all_of(word.begin(), word.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
                  c == '-';
         });
}

/// "(", ")" and what is between blanks.
std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  for (std::size_t at = 0; at < text.size();) {
    if (std::string_view(" \t\r\n").find(text[at]) != std::string_view::npos) {
      ++at;
      continue;
    }
    const bool is_bracket = text[at] == '(' || text[at] == ')';
    const auto end = is_bracket ? at + 1 : std::min(text.find_first_of(" \t\r\n()", at), text.size());
    words.push_back(text.substr(at, end - at));
    at = end;
  }
  return words;
}

/// SPDX 2.3, annex D.2, by recursive descent; the text's limit is the depth's.
class ExpressionReader {
 public:
  explicit ExpressionReader(std::string_view text) : m_words(words_of(text)) {}

  std::optional<std::string> read() {
    auto expression = compound();
    return expression && m_at == m_words.size() ? expression : std::nullopt;
  }

 private:
  std::string_view next() const { return m_at < m_words.size() ? m_words[m_at] : std::string_view(); }
  bool takes(std::string_view operation) {
    if (base::lower(next()) != base::lower(operation)) return false;
    ++m_at;
    return true;
  }

  std::optional<std::string> compound() {
    auto left = term();
    while (left) {
      const char* operation = takes("AND") ? " AND " : takes("OR") ? " OR " : nullptr;
      if (!operation) break;
      const auto right = term();
      if (!right) return std::nullopt;
      *left += operation + *right;
    }
    return left;
  }

  std::optional<std::string> term() {
    if (takes("(")) {
      const auto inner = compound();
      if (!inner || !takes(")")) return std::nullopt;
      return "(" + *inner + ")";
    }
    if (m_at == m_words.size()) return std::nullopt;
    const auto word = m_words[m_at++];
    if (is_reference(word)) return std::string(word);
    std::string licence(listed(k_licences, word));
    if (licence.empty()) return std::nullopt;
    if (takes("WITH")) {
      const auto exception = listed(k_exceptions, next());
      if (exception.empty()) return std::nullopt;
      ++m_at;
      licence += " WITH " + std::string(exception);
    }
    return licence;
  }

  std::vector<std::string_view> m_words;
  std::size_t m_at = 0;
};

/// A licence by its name, or an expression.
std::optional<std::string> known(std::string_view text) {
  if (auto expression = spdx_expression(text)) return expression;
  const auto wanted = base::lower(base::trim(text));
  for (const auto& [name, licence] : k_names)
    if (wanted == name) return std::string(licence);
  return std::nullopt;
}

/// "MIT License" of "OSI Approved :: MIT License".
std::string last_part(const std::string& classifier) {
  const auto at = classifier.rfind(":: ");
  return at == std::string::npos ? classifier : classifier.substr(at + 3);
}

/// Within the limit, and with U+FFFD for what is not UTF-8.
std::string told(std::string_view text) {
  using document::Json;
  const auto kept = Json(std::string(text.substr(0, k_licence_text_limit_bytes)))
                        .dump(-1, ' ', false, Json::error_handler_t::replace);
  return Json::parse(kept).get<std::string>();
}

}  // namespace

std::optional<std::string> spdx_expression(std::string_view text) {
  if (text.size() > k_licence_expression_limit_bytes) return std::nullopt;
  return ExpressionReader(text).read();
}

std::vector<std::string> licence_references(std::string_view expression) {
  std::vector<std::string> references;
  for (const auto word : words_of(expression))
    if (is_reference(word)) references.emplace_back(word);
  return references;
}

Licence licence_of(const verify::WheelMetadata& metadata) {
  if (!metadata.license_expression.empty()) {
    if (auto expression = spdx_expression(metadata.license_expression)) return {std::move(*expression), {}};
    return {{}, told(metadata.license_expression)};
  }
  // What setuptools wrote where nothing was said.
  const auto license = metadata.license == "UNKNOWN" ? std::string() : metadata.license;
  if (auto expression = known(license)) return {std::move(*expression), {}};
  // Several classifiers do not say whether all of them hold, or any.
  const auto& classifiers = metadata.license_classifiers;
  if (classifiers.size() == 1)
    if (auto expression = known(last_part(classifiers.front()))) return {std::move(*expression), {}};
  if (!license.empty()) return {{}, told(license)};
  std::vector<std::string> names;
  for (const auto& classifier : classifiers) names.push_back(last_part(classifier));
  return {{}, told(base::join(names, "; "))};
}

}  // namespace torchkiln::sbom
