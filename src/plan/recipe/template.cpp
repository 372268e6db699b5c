#include "plan/recipe/template.hpp"

#include "foundation/base/text.hpp"

#include <algorithm>
#include <optional>

#include <kainjow/mustache.hpp>

namespace torchkiln::recipe {

using base::Result;

namespace {

namespace km = kainjow::mustache;

/// Looks names up and remembers the first one that nobody gave a value to. kainjow, as the Mustache manual says,
/// would render it as nothing: in a Dockerfile a typing error would become "torch==".
class StrictContext final : public km::basic_context<std::string> {
 public:
  explicit StrictContext(const km::data& root) { m_stack.push_back(&root); }
  void push(const km::data* data) override { m_stack.push_back(data); }
  void pop() override { m_stack.pop_back(); }
  const km::data* get(const std::string& name) const override {
    if (name == ".") return m_stack.back();
    for (auto at = m_stack.rbegin(); at != m_stack.rend(); ++at)
      if ((*at)->is_object())
        if (const auto* found = (*at)->get(name)) return found;
    if (!m_missing) m_missing = name;
    return nullptr;
  }
  const km::data* get_partial(const std::string& name) const override {
    if (!m_missing) m_missing = "> " + name;
    return nullptr;
  }
  const std::optional<std::string>& missing() const { return m_missing; }

 private:
  std::vector<const km::data*> m_stack;
  mutable std::optional<std::string> m_missing;
};

/// The line of the first tag that names `name`.
int line_of(std::string_view text, std::string_view name) {
  int line = 0;
  for (const auto content : base::lines(text)) {
    ++line;
    for (auto open = content.find("{{"); open != std::string_view::npos; open = content.find("{{", open + 2)) {
      const auto close = content.find("}}", open);
      if (close == std::string_view::npos) break;
      auto tag = base::trim(content.substr(open + 2, close - open - 2));
      while (!tag.empty() && std::string_view("#^/&{>!").find(tag.front()) != std::string_view::npos && tag != name)
        tag = base::trim(tag.substr(1));
      if (tag == name || "> " + std::string(tag) == name) return line;
    }
  }
  return 0;
}

}  // namespace

Result<std::string> render_template(std::string_view text, const std::string& file, const TemplateValues& values) {
  km::data root{km::data::type::object};
  for (const auto& [name, value] : values.texts) root.set(name, value);
  std::vector<std::string> known;
  for (const auto& [name, value] : values.texts) known.push_back(name);
  for (const auto& [name, items] : values.lists) {
    known.push_back(name);
    km::data list{km::data::type::list};
    for (const auto& item : items) {
      km::data entry{km::data::type::object};
      for (const auto& [key, value] : item) {
        entry.set(key, value);
        known.push_back(key);
      }
      list.push_back(entry);
    }
    root.set(name, list);
  }
  km::mustache parsed{std::string(text)};
  if (!parsed.is_valid())
    return base::fail_at(base::ErrorCode::template_invalid, {file},
                         "not a valid template: " + parsed.error_message());
  parsed.set_custom_escape([](const std::string& value) { return value; });
  StrictContext context(root);
  auto rendered = parsed.render(context);
  if (context.missing()) {
    const auto& name = *context.missing();
    std::vector<std::string> hints;
    if (const auto near = base::nearest(name, known)) hints.push_back("did you mean {{" + *near + "}}?");
    return base::fail_at(base::ErrorCode::template_invalid, {file, line_of(text, name)},
                         "{{" + name + "}} has no value", hints);
  }
  return rendered;
}

}  // namespace torchkiln::recipe
