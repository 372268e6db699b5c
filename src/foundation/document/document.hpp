#pragma once
// A TOML file read once, with the place of every value. The only room that knows toml++. A reader asks a Table
// for the keys it knows; the Document remembers the first thing that is wrong (a missing key, a wrong type, a bad
// value, a key nobody asked for) and check() gives it, so that readers need no error handling line by line.

#include "foundation/base/error.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace torchkiln::document {

/// A value and where it was written.
template <class T>
struct Placed {
  T value{};
  base::Place place;
};

namespace detail {
struct Tree;
}

/// One table of a document. A view: it must not outlive its Document.
class Table {
 public:
  const base::Place& place() const { return m_place; }
  bool has(std::string_view key) const;
  /// Every key, in the order of the file's lines.
  std::vector<std::string> keys() const;

  // Optional values: nothing when the key is absent or of another type (an error that is remembered).
  std::optional<Placed<std::string>> text(std::string_view key);
  std::optional<Placed<std::int64_t>> integer(std::string_view key);
  std::optional<Placed<bool>> boolean(std::string_view key);
  /// An array of integers; empty when the key is absent.
  std::vector<Placed<std::int64_t>> integers(std::string_view key);
  /// A TOML date, as "2026-11-21".
  std::optional<Placed<std::string>> date(std::string_view key);
  /// A TOML date-time with an offset, as RFC 3339 ("2025-08-06T14:53:00Z").
  std::optional<Placed<std::string>> time(std::string_view key);
  /// An array of strings.
  std::optional<Placed<std::vector<Placed<std::string>>>> texts(std::string_view key);
  std::optional<Table> table(std::string_view key);
  /// An array of tables; empty when the key is absent.
  std::vector<Table> tables(std::string_view key);

  // Required values: when the key is absent that is the error, and an empty value is given.
  Placed<std::string> required_text(std::string_view key);
  std::string required_date(std::string_view key);

  /// The text at `key` given to `parse`, a function from string_view to Result<T>; its error gets the place.
  template <class Parse>
  auto parsed(std::string_view key, Parse parse)
      -> std::optional<Placed<typename decltype(parse(std::string_view()))::value_type>> {
    auto value = text(key);
    if (!value) return std::nullopt;
    auto result = parse(std::string_view(value->value));
    if (!result) return reject(std::move(result).error(), value->place), std::nullopt;
    return Placed<typename decltype(result)::value_type>{std::move(*result), std::move(value->place)};
  }
  /// Every string of the array at `key` given to `parse`.
  template <class Parse>
  auto parsed_each(std::string_view key, Parse parse)
      -> std::optional<std::vector<Placed<typename decltype(parse(std::string_view()))::value_type>>> {
    auto values = texts(key);
    if (!values) return std::nullopt;
    std::vector<Placed<typename decltype(parse(std::string_view()))::value_type>> results;
    for (auto& item : values->value) {
      auto result = parse(std::string_view(item.value));
      if (!result) return reject(std::move(result).error(), item.place), std::nullopt;
      results.push_back({std::move(*result), std::move(item.place)});
    }
    return results;
  }

  /// Remembers an error of the reader's own, at `place`, unless an earlier one is remembered.
  void reject(base::Error error, const base::Place& place);
  void reject(std::string message, const base::Place& place, std::vector<std::string> hints = {});
  /// Remembers that `key` is missing.
  void missing(std::string_view key, std::vector<std::string> hints = {});
  /// Every key nobody asked for is an error, with the nearest known key as a hint. Call it last.
  void finish();

 private:
  friend class Document;
  struct Seen;
  Table(detail::Tree& tree, const void* node, std::string path);
  const void* find(std::string_view key);
  void wrong_type(std::string_view key, std::string_view wanted, const void* node);

  detail::Tree* m_tree;
  const void* m_node;
  std::string m_path;  ///< "require" or "" for the root
  base::Place m_place;
  std::shared_ptr<Seen> m_seen;
};

class Document {
 public:
  /// Parses `text`. `file` is the name in every Place; errors get `code`. Fails for what is no TOML.
  static base::Result<Document> parse(std::string_view text, std::string file, base::ErrorCode code);
  ~Document();
  Document(Document&&) noexcept;
  Document& operator=(Document&&) noexcept;

  Table root();
  /// The first thing that was wrong, in the order of reading.
  base::Result<void> check() const;

 private:
  explicit Document(std::unique_ptr<detail::Tree> tree);
  std::unique_ptr<detail::Tree> m_tree;
};

/// A TOML string (toml.io v1.0, "String"); single quotes where that spares escapes.
std::string toml_text(std::string_view text);

}  // namespace torchkiln::document
