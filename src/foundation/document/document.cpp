#include "foundation/document/document.hpp"

#include "foundation/base/text.hpp"

#include <algorithm>
#include <set>
#include <sstream>

#include <fmt/format.h>
#include <toml++/toml.h>

namespace torchkiln::document {

namespace detail {
struct Tree {
  toml::table root;
  std::string file;
  base::ErrorCode code;
  std::optional<base::Error> first;
};
}  // namespace detail

using detail::Tree;

namespace {

base::Place place_of(const Tree& tree, const toml::source_region& region) {
  return {tree.file, static_cast<int>(region.begin.line), static_cast<int>(region.begin.column)};
}

/// The type of a node in the words of the TOML specification, with an article.
std::string_view type_name(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "an array";
    case toml::node_type::string:
      return "a string";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a float";
    case toml::node_type::boolean:
      return "a boolean";
    case toml::node_type::date:
      return "a date";
    default:
      return "a time";
  }
}

}  // namespace

/// Which keys a reader asked for, shared by the copies of one Table.
struct Table::Seen {
  std::set<std::string, std::less<>> keys;
};

Table::Table(Tree& tree, const void* node, std::string path)
    : m_tree(&tree), m_node(node), m_path(std::move(path)), m_seen(std::make_shared<Seen>()) {
  m_place = place_of(tree, static_cast<const toml::table*>(node)->source());
}

static const toml::table& as_table(const void* node) {
  return *static_cast<const toml::table*>(node);
}

bool Table::has(std::string_view key) const {
  return as_table(m_node).contains(key);
}

std::vector<std::string> Table::keys() const {
  std::vector<std::pair<toml::source_position, std::string>> placed;
  for (const auto& [key, node] : as_table(m_node)) placed.emplace_back(key.source().begin, std::string(key.str()));
  std::sort(placed.begin(), placed.end());
  std::vector<std::string> result;
  for (auto& entry : placed) result.push_back(std::move(entry.second));
  return result;
}

const void* Table::find(std::string_view key) {
  m_seen->keys.insert(std::string(key));
  return as_table(m_node).get(key);
}

void Table::reject(base::Error error, const base::Place& place) {
  if (m_tree->first) return;
  error.code = m_tree->code;
  error.where = place;
  m_tree->first = std::move(error);
}

void Table::reject(std::string message, const base::Place& place, std::vector<std::string> hints) {
  reject(base::Error{m_tree->code, std::move(message), std::nullopt, {}, std::move(hints)}, place);
}

void Table::missing(std::string_view key, std::vector<std::string> hints) {
  const std::string where = m_path.empty() ? "" : " in [" + m_path + "]";
  reject("\"" + std::string(key) + "\" is missing" + where, m_place, std::move(hints));
}

void Table::wrong_type(std::string_view key, std::string_view wanted, const void* node) {
  const auto& found = *static_cast<const toml::node*>(node);
  reject("\"" + std::string(key) + "\" must be " + std::string(wanted) + ", not " + std::string(type_name(found)),
         place_of(*m_tree, found.source()));
}

std::optional<Placed<std::string>> Table::text(std::string_view key) {
  const auto* node = static_cast<const toml::node*>(find(key));
  if (!node) return std::nullopt;
  if (const auto* value = node->as_string())
    return Placed<std::string>{value->get(), place_of(*m_tree, node->source())};
  wrong_type(key, "a string", node);
  return std::nullopt;
}

std::optional<Placed<std::int64_t>> Table::integer(std::string_view key) {
  const auto* node = static_cast<const toml::node*>(find(key));
  if (!node) return std::nullopt;
  if (const auto* value = node->as_integer())
    return Placed<std::int64_t>{value->get(), place_of(*m_tree, node->source())};
  wrong_type(key, "an integer", node);
  return std::nullopt;
}

std::optional<Placed<bool>> Table::boolean(std::string_view key) {
  const auto* node = static_cast<const toml::node*>(find(key));
  if (!node) return std::nullopt;
  if (const auto* value = node->as_boolean()) return Placed<bool>{value->get(), place_of(*m_tree, node->source())};
  wrong_type(key, "true or false", node);
  return std::nullopt;
}

std::optional<Placed<std::string>> Table::time(std::string_view key) {
  const auto* node = static_cast<const toml::node*>(find(key));
  if (!node) return std::nullopt;
  const auto* value = node->as_date_time();
  if (!value || value->get().is_local())
    return wrong_type(key, "a date and time with an offset", node), std::nullopt;
  std::ostringstream text;
  text << value->get();
  return Placed<std::string>{text.str(), place_of(*m_tree, node->source())};
}

std::optional<Placed<std::string>> Table::date(std::string_view key) {
  const auto* node = static_cast<const toml::node*>(find(key));
  if (!node) return std::nullopt;
  if (const auto* value = node->as_date()) {
    const toml::date day = value->get();
    auto text = fmt::format("{:04}-{:02}-{:02}", day.year, unsigned{day.month}, unsigned{day.day});
    return Placed<std::string>{std::move(text), place_of(*m_tree, node->source())};
  }
  wrong_type(key, "a date (2026-11-21, without quotes)", node);
  return std::nullopt;
}

std::optional<Placed<std::vector<Placed<std::string>>>> Table::texts(std::string_view key) {
  const auto* node = static_cast<const toml::node*>(find(key));
  if (!node) return std::nullopt;
  const auto* array = node->as_array();
  if (!array) {
    wrong_type(key, "an array of strings", node);
    return std::nullopt;
  }
  Placed<std::vector<Placed<std::string>>> result{{}, place_of(*m_tree, node->source())};
  for (const toml::node& item : *array) {
    const auto* value = item.as_string();
    if (!value) {
      wrong_type(key, "an array of strings", &item);
      return std::nullopt;
    }
    result.value.push_back({value->get(), place_of(*m_tree, item.source())});
  }
  return result;
}

std::vector<Placed<std::int64_t>> Table::integers(std::string_view key) {
  const auto* node = static_cast<const toml::node*>(find(key));
  if (!node) return {};
  const auto* array = node->as_array();
  if (!array) {
    wrong_type(key, "an array of integers", node);
    return {};
  }
  std::vector<Placed<std::int64_t>> result;
  for (const toml::node& item : *array) {
    const auto* value = item.as_integer();
    if (!value) {
      wrong_type(key, "an array of integers", &item);
      return {};
    }
    result.push_back({value->get(), place_of(*m_tree, item.source())});
  }
  return result;
}

std::optional<Table> Table::table(std::string_view key) {
  const auto* node = static_cast<const toml::node*>(find(key));
  if (!node) return std::nullopt;
  if (const auto* value = node->as_table())
    return Table(*m_tree, value, m_path.empty() ? std::string(key) : m_path + "." + std::string(key));
  wrong_type(key, "a table", node);
  return std::nullopt;
}

std::vector<Table> Table::tables(std::string_view key) {
  const auto* node = static_cast<const toml::node*>(find(key));
  if (!node) return {};
  const auto* array = node->as_array();
  std::vector<Table> result;
  if (!array) {
    wrong_type(key, "an array of tables", node);
    return {};
  }
  for (const toml::node& item : *array) {
    const auto* value = item.as_table();
    if (!value) {
      wrong_type(key, "an array of tables", &item);
      return {};
    }
    result.push_back(Table(*m_tree, value, m_path.empty() ? std::string(key) : m_path + "." + std::string(key)));
  }
  return result;
}

Placed<std::string> Table::required_text(std::string_view key) {
  if (!has(key)) missing(key);
  return text(key).value_or(Placed<std::string>{"", m_place});
}

std::string Table::required_date(std::string_view key) {
  if (!has(key)) missing(key);
  const auto value = date(key);
  return value ? value->value : "";
}

void Table::finish() {
  for (const auto& key : keys()) {
    if (m_seen->keys.contains(key)) continue;
    const std::vector<std::string> known(m_seen->keys.begin(), m_seen->keys.end());
    const std::string where = m_path.empty() ? "" : " in [" + m_path + "]";
    std::vector<std::string> hints;
    if (const auto guess = base::nearest(key, known))
      hints.push_back("did you mean \"" + *guess + "\"?");
    else
      hints.push_back("known keys are " + base::join(known, ", "));
    const auto& table = as_table(m_node);
    const auto entry = table.find(key);
    reject("unknown key \"" + key + "\"" + where, place_of(*m_tree, entry->first.source()), std::move(hints));
    return;
  }
}

Document::Document(std::unique_ptr<Tree> tree) : m_tree(std::move(tree)) {}
Document::~Document() = default;
Document::Document(Document&&) noexcept = default;
Document& Document::operator=(Document&&) noexcept = default;

base::Result<Document> Document::parse(std::string_view text, std::string file, base::ErrorCode code) {
  auto tree = std::make_unique<Tree>();
  tree->file = std::move(file);
  tree->code = code;
  try {
    tree->root = toml::parse(text, tree->file);
  } catch (const toml::parse_error& error) {
    std::string message(error.description());
    std::replace(message.begin(), message.end(), '\n', ' ');
    return base::fail_at(code, place_of(*tree, error.source()), "not valid TOML: " + message);
  }
  return Document(std::move(tree));
}

Table Document::root() {
  return Table(*m_tree, &m_tree->root, "");
}

base::Result<void> Document::check() const {
  if (m_tree->first) return base::fail(*m_tree->first);
  return {};
}

std::string toml_text(std::string_view text) {
  const bool is_printable = std::all_of(text.begin(), text.end(),
                                        [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; });
  const bool needs_escape = text.find_first_of("\"\\") != std::string_view::npos;
  if (is_printable && needs_escape && text.find('\'') == std::string_view::npos)
    return "'" + std::string(text) + "'";
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\')
      result += std::string("\\") + c;
    else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      result += fmt::format("\\u{:04x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    else
      result += c;
  }
  return result + "\"";
}

}  // namespace torchkiln::document
