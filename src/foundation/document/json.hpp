#pragma once
// JSON that somebody else may have written: read with limits, duplicate keys refused, and every complaint naming
// the file and the field. Also the one way documents of ours become bytes, so that equal values have equal bytes.

#include "foundation/base/digest.hpp"
#include "foundation/base/error.hpp"

#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

namespace torchkiln::document {

/// For writing: members stay in the order in which they were put.
using Json = nlohmann::ordered_json;
/// As read: looked up in logarithmic time, so that a hostile document with many members costs no more than its
/// size.
using ParsedJson = nlohmann::json;

/// What a document may be at most. 4 MiB is what registries promise to take as a manifest (distribution-spec,
/// "Pushing Manifests").
struct JsonLimits {
  std::uint64_t size_bytes = 4U << 20;
  unsigned depth = 32;  ///< objects and arrays inside each other
};

/// One value of a parsed document, with its place ("layers[2].digest"). Copies are cheap and keep the document
/// alive.
class JsonValue {
 public:
  /// Parses the whole of `text`, which came from `file`. Refuses what is over the limits, syntax errors (with line
  /// and column), duplicate keys, invalid UTF-8 and a byte order mark.
  static base::Result<JsonValue> parse(std::string_view text, std::string file, JsonLimits limits = {});

  const ParsedJson& json() const { return *m_value; }
  /// An Error about this value: its file, its field, and what is wrong with it.
  base::Unexpected wrong(std::string_view what) const;

  /// A member of this object that must be there. null counts as absent, as in the image specification.
  base::Result<JsonValue> member(std::string_view key) const;
  /// A member that may be missing; an Error when this is no object.
  base::Result<std::optional<JsonValue>> find(std::string_view key) const;
  /// An Error unless this is an object whose keys are all among `keys`.
  base::Result<void> has_only(std::initializer_list<std::string_view> keys) const;

  base::Result<std::string> text() const;
  base::Result<std::int64_t> integer() const;
  base::Result<double> number() const;
  base::Result<base::Digest> digest() const;  ///< with its "sha256:", which image-spec requires
  base::Result<std::vector<JsonValue>> items() const;
  base::Result<std::vector<std::pair<std::string, JsonValue>>> members() const;
  base::Result<std::vector<std::string>> texts() const;
  base::Result<std::map<std::string, std::string>> text_map() const;

  /// A member's text; empty when it is missing.
  base::Result<std::string> text_or_empty(std::string_view key) const;
  base::Result<std::vector<std::string>> texts_or_empty(std::string_view key) const;
  base::Result<std::map<std::string, std::string>> text_map_or_empty(std::string_view key) const;

 private:
  JsonValue(std::shared_ptr<const ParsedJson> value, std::shared_ptr<const std::string> file, std::string path)
      : m_value(std::move(value)), m_file(std::move(file)), m_path(std::move(path)) {}
  JsonValue child(const ParsedJson& value, std::string path) const;

  std::shared_ptr<const ParsedJson> m_value;
  std::shared_ptr<const std::string> m_file;
  std::string m_path;
};

/// The bytes of a document: no white space, members in the order given. An Error when a text is not UTF-8.
base::Result<std::string> to_bytes(const Json& document);

}  // namespace torchkiln::document
