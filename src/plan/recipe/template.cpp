#include "plan/recipe/template.hpp"

#include "foundation/base/text.hpp"

#include <algorithm>
#include <cstddef>

#include <kainjow/mustache.hpp>

namespace torchkiln::recipe {

using base::Result;

namespace {

namespace km = kainjow::mustache;

/// A tag of a template: "{{#name}}" has the kind '#' and the name "name"; plain ones have the kind ' '.
struct Tag {
  char kind = ' ';
  std::string name;
  int line = 0;
};

base::Unexpected bad(const std::string& file, int line, const std::string& what,
                     std::vector<std::string> hints = {}) {
  return base::fail_at(base::ErrorCode::template_invalid, {file, line}, what, std::move(hints));
}

/// Every tag, in order, comments left out (mustache(5)).
Result<std::vector<Tag>> tags_of(std::string_view text, const std::string& file) {
  std::vector<Tag> tags;
  int line = 1;
  for (std::size_t at = 0;;) {
    const auto open = text.find("{{", at);
    if (open == std::string_view::npos) return tags;
    line += static_cast<int>(std::count(text.begin() + static_cast<std::ptrdiff_t>(at),
                                        text.begin() + static_cast<std::ptrdiff_t>(open), '\n'));
    const bool triple = text.substr(open + 2, 1) == "{";
    const std::string_view ending = triple ? "}}}" : "}}";
    const auto begin = open + (triple ? 3 : 2), close = text.find(ending, begin);
    if (close == std::string_view::npos) return bad(file, line, "a tag is not closed");
    auto content = base::trim(text.substr(begin, close - begin));
    Tag tag;
    tag.line = line;
    if (!triple && !content.empty() &&
        std::string_view("#^/&>!=").find(content.front()) != std::string_view::npos) {
      tag.kind = content.front();
      content = base::trim(content.substr(1));
    }
    tag.name = content;
    if (tag.kind != '!') tags.push_back(std::move(tag));
    line += static_cast<int>(std::count(text.begin() + static_cast<std::ptrdiff_t>(open),
                                        text.begin() + static_cast<std::ptrdiff_t>(close), '\n'));
    at = close + ending.size();
  }
}

/// Every name must have a value where it stands. kainjow, as the Mustache manual says, would render one that has
/// none as nothing: in a Dockerfile a typing error would become "torch==".
Result<void> check_tags(const std::vector<Tag>& tags, const std::string& file, const TemplateValues& values) {
  std::vector<const Tag*> open;
  // What the items of the open sections have, outermost first; nullptr inside a list without items, where anything
  // may be named.
  std::vector<const TemplateValues*> scopes = {&values};
  const auto find_list = [&](const std::string& name) -> const std::vector<TemplateValues>* {
    for (auto scope = scopes.rbegin(); scope != scopes.rend(); ++scope)
      if (*scope)
        if (const auto at = (*scope)->lists.find(name); at != (*scope)->lists.end()) return &at->second;
    return nullptr;
  };
  for (const auto& tag : tags) {
    if (tag.kind == '>') return bad(file, tag.line, "{{> " + tag.name + "}}: templates do not include others");
    if (tag.kind == '=') return bad(file, tag.line, "{{=" + tag.name + "}}: the delimiters stay as they are");
    if (tag.kind == '/') {
      if (open.empty() || open.back()->name != tag.name)
        return bad(file, tag.line, "{{/" + tag.name + "}} closes a section that is not open");
      open.pop_back();
      scopes.pop_back();
      continue;
    }
    const bool is_section = tag.kind == '#' || tag.kind == '^';
    std::vector<std::string> known;
    for (const auto* scope : scopes) {
      if (!scope) continue;
      if (is_section)
        for (const auto& [name, items] : scope->lists) known.push_back(name);
      else
        for (const auto& [name, text] : scope->texts) known.push_back(name);
    }
    const bool is_anything_known = std::find(scopes.begin(), scopes.end(), nullptr) != scopes.end();
    if (std::find(known.begin(), known.end(), tag.name) == known.end() && !is_anything_known) {
      std::vector<std::string> hints;
      if (const auto near = base::nearest(tag.name, known)) hints.push_back("did you mean {{" + *near + "}}?");
      return bad(file, tag.line, "{{" + tag.name + "}} has no value", std::move(hints));
    }
    if (!is_section) continue;
    const auto* items = find_list(tag.name);
    const bool is_shown = tag.kind == '#' && items && !items->empty();
    // "{{^name}}" adds no names of its own, and neither does what is never shown.
    scopes.push_back(is_shown ? &items->front() : tag.kind == '^' ? scopes.back() : nullptr);
    open.push_back(&tag);
  }
  if (!open.empty())
    return bad(file, open.back()->line, "the section {{#" + open.back()->name + "}} is not closed");
  return {};
}

km::data to_mustache(const TemplateValues& values) {
  km::data object{km::data::type::object};
  for (const auto& [name, text] : values.texts) object.set(name, text);
  for (const auto& [name, items] : values.lists) {
    km::data list{km::data::type::list};
    for (const auto& item : items) list.push_back(to_mustache(item));
    object.set(name, list);
  }
  return object;
}

}  // namespace

Result<std::string> render_template(std::string_view text, const std::string& file, const TemplateValues& values) {
  TK_TRY(const auto tags, tags_of(text, file));
  TK_CHECK(check_tags(tags, file, values));
  km::mustache parsed{std::string(text)};
  if (!parsed.is_valid()) return bad(file, 0, "not a valid template: " + parsed.error_message());
  parsed.set_custom_escape([](const std::string& value) { return value; });
  return parsed.render(to_mustache(values));
}

}  // namespace torchkiln::recipe
