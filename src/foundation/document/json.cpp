#include "foundation/document/json.hpp"

#include "foundation/base/text.hpp"

#include <algorithm>
#include <cmath>
#include <set>

namespace torchkiln::document {

using base::ErrorCode;
using base::fail;
using base::fail_at;
using base::Result;

namespace {

/// The place of byte `offset` of `text`, counting lines and columns from 1.
base::Place place_of(std::string_view text, std::size_t offset, const std::string& file) {
  const auto before = text.substr(0, std::min(offset, text.size()));
  const auto last_newline = before.rfind('\n');
  return {file, 1 + static_cast<int>(std::count(before.begin(), before.end(), '\n')),
          1 + static_cast<int>(last_newline == std::string_view::npos ? before.size()
                                                                      : before.size() - last_newline - 1)};
}

/// Looks at a document without building it: syntax, depth, and keys given twice. (Two parsers may choose
/// different ones of two equal keys, so that one checks what another does not see.)
class Inspector final : public ParsedJson::json_sax_t {
 public:
  explicit Inspector(unsigned depth_limit) : m_depth_limit(depth_limit) {}

  const std::string& complaint() const { return m_complaint; }
  /// Where the syntax error is; nothing for other complaints.
  std::optional<std::size_t> offset() const { return m_offset; }

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override { return enter(); }
  bool end_object() override { return leave(); }
  bool start_array(std::size_t) override { return enter(); }
  bool end_array() override { return leave(); }
  bool key(string_t& name) override {
    if (m_keys.back().insert(name).second) return true;
    return refuse("has the key \"" + name + "\" twice");
  }
  bool parse_error(std::size_t position, const std::string&, const ParsedJson::exception& error) override {
    // The library's text ends with what it found; its beginning repeats the position that Place carries.
    std::string_view text = error.what();
    if (const auto at = text.find(": "); at != std::string_view::npos) text.remove_prefix(at + 2);
    m_offset = position > 0 ? position - 1 : 0;
    return refuse("is no valid JSON: " + std::string(text));
  }

 private:
  bool refuse(std::string complaint) {
    m_complaint = std::move(complaint);
    return false;
  }
  bool enter() {
    m_keys.emplace_back();
    if (m_keys.size() <= m_depth_limit) return true;
    return refuse("nests deeper than " + std::to_string(m_depth_limit) + " levels");
  }
  bool leave() {
    m_keys.pop_back();
    return true;
  }

  unsigned m_depth_limit;
  std::vector<std::set<std::string>> m_keys;  ///< of the open objects (and an empty set for each open array)
  std::string m_complaint;
  std::optional<std::size_t> m_offset;
};

/// Names and values come from the document, and the words go to a terminal: no escape sequences there.
std::string printable(std::string text) {
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  return text;
}

std::string_view kind_of(const ParsedJson& value) {
  switch (value.type()) {
    case ParsedJson::value_t::object:
      return "an object";
    case ParsedJson::value_t::array:
      return "an array";
    case ParsedJson::value_t::string:
      return "a string";
    case ParsedJson::value_t::boolean:
      return "a boolean";
    case ParsedJson::value_t::null:
      return "null";
    default:
      return "a number";
  }
}

}  // namespace

Result<JsonValue> JsonValue::parse(std::string_view text, std::string file, JsonLimits limits) {
  if (text.size() > limits.size_bytes)
    return fail(ErrorCode::input_invalid,
                file + " is larger than the limit of " + base::format_bytes(limits.size_bytes));
  if (text.starts_with("\xEF\xBB\xBF"))
    return fail(ErrorCode::input_invalid, file + " begins with a byte order mark, which RFC 8259 forbids");
  Inspector inspector(limits.depth);
  if (!ParsedJson::sax_parse(text, &inspector)) {
    const auto complaint = printable(inspector.complaint());
    if (inspector.offset())
      return fail_at(ErrorCode::input_invalid, place_of(text, *inspector.offset(), file), complaint);
    return fail(ErrorCode::input_invalid, file + " " + complaint);
  }
  auto value = std::make_shared<const ParsedJson>(ParsedJson::parse(text, nullptr, false));
  TK_ASSERT(!value->is_discarded(), "the inspector accepted the document");
  return JsonValue(std::move(value), std::make_shared<const std::string>(std::move(file)), "");
}

base::Unexpected JsonValue::wrong(std::string_view what) const {
  return fail_at(ErrorCode::input_invalid, base::Place{*m_file},
                 printable((m_path.empty() ? "the document" : m_path) + " " + std::string(what)));
}

JsonValue JsonValue::child(const ParsedJson& value, std::string path) const {
  return JsonValue(std::shared_ptr<const ParsedJson>(m_value, &value), m_file, std::move(path));
}

Result<std::optional<JsonValue>> JsonValue::find(std::string_view key) const {
  if (!m_value->is_object()) return wrong("is " + std::string(kind_of(*m_value)) + ", not an object");
  const auto found = m_value->find(std::string(key));
  if (found == m_value->end() || found->is_null()) return std::optional<JsonValue>();
  return std::optional(child(*found, m_path.empty() ? std::string(key) : m_path + "." + std::string(key)));
}

Result<JsonValue> JsonValue::member(std::string_view key) const {
  TK_TRY(auto found, find(key));
  if (!found) return wrong("lacks \"" + std::string(key) + "\"");
  return *found;
}

Result<void> JsonValue::has_only(std::initializer_list<std::string_view> keys) const {
  if (!m_value->is_object()) return wrong("is " + std::string(kind_of(*m_value)) + ", not an object");
  for (const auto& [key, value] : m_value->items())
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) return wrong("has an unknown key \"" + key + "\"");
  return {};
}

Result<std::string> JsonValue::text() const {
  if (!m_value->is_string()) return wrong("is " + std::string(kind_of(*m_value)) + ", not a string");
  return m_value->get_ref<const std::string&>();
}

Result<std::int64_t> JsonValue::integer() const {
  if (m_value->is_number_unsigned() && m_value->get<std::uint64_t>() > INT64_MAX) return wrong("is too large");
  if (!m_value->is_number_integer()) return wrong("is " + std::string(kind_of(*m_value)) + ", not an integer");
  return m_value->get<std::int64_t>();
}

Result<double> JsonValue::number() const {
  if (!m_value->is_number()) return wrong("is " + std::string(kind_of(*m_value)) + ", not a number");
  return m_value->get<double>();
}

Result<base::Digest> JsonValue::digest() const {
  TK_TRY(const auto written, text());
  const auto digest = base::Digest::parse(written);
  if (!digest || !written.starts_with("sha256:"))
    return wrong("is \"" + written + "\", not \"sha256:\" and 64 lower-case hex digits");
  return *digest;
}

Result<std::vector<JsonValue>> JsonValue::items() const {
  if (!m_value->is_array()) return wrong("is " + std::string(kind_of(*m_value)) + ", not an array");
  std::vector<JsonValue> values;
  values.reserve(m_value->size());
  for (std::size_t i = 0; i < m_value->size(); ++i)
    values.push_back(child((*m_value)[i], m_path + "[" + std::to_string(i) + "]"));
  return values;
}

Result<std::vector<std::pair<std::string, JsonValue>>> JsonValue::members() const {
  if (!m_value->is_object()) return wrong("is " + std::string(kind_of(*m_value)) + ", not an object");
  std::vector<std::pair<std::string, JsonValue>> values;
  for (const auto& [key, value] : m_value->items())
    values.emplace_back(key, child(value, m_path.empty() ? key : m_path + "." + key));
  return values;
}

Result<std::vector<std::string>> JsonValue::texts() const {
  std::vector<std::string> all;
  TK_TRY(const auto values, items());
  for (const auto& value : values) {
    TK_TRY(all.emplace_back(), value.text());
  }
  return all;
}

Result<std::map<std::string, std::string>> JsonValue::text_map() const {
  std::map<std::string, std::string> all;
  TK_TRY(const auto values, members());
  for (const auto& [key, value] : values) {
    TK_TRY(all[key], value.text());
  }
  return all;
}

Result<std::string> JsonValue::text_or_empty(std::string_view key) const {
  TK_TRY(const auto found, find(key));
  if (!found) return std::string();
  return found->text();
}

Result<std::vector<std::string>> JsonValue::texts_or_empty(std::string_view key) const {
  TK_TRY(const auto found, find(key));
  if (!found) return std::vector<std::string>();
  return found->texts();
}

Result<std::map<std::string, std::string>> JsonValue::text_map_or_empty(std::string_view key) const {
  TK_TRY(const auto found, find(key));
  if (!found) return std::map<std::string, std::string>();
  return found->text_map();
}

Result<std::string> to_bytes(const Json& document) {
  try {
    return document.dump();
  } catch (const Json::exception&) {
    return fail(ErrorCode::input_invalid, "a text that should go into a JSON document is not valid UTF-8");
  }
}

}  // namespace torchkiln::document
