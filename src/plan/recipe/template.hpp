#pragma once
// Mustache templates, made strict: a name that has no value where it stands, a section that is not closed or a
// partial is an Error with file and line, and nothing is escaped for HTML. The only room that knows kainjow.

#include "foundation/base/error.hpp"

#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace torchkiln::recipe {

/// What a template may show: texts, and lists whose items have texts and lists of their own, the same ones each.
struct TemplateValues {
  std::map<std::string, std::string> texts;
  std::map<std::string, std::vector<TemplateValues>>
      lists;  ///< {{#name}} … {{/name}} repeats; {{^name}} when empty
};

/// `file` is the template's name in errors.
base::Result<std::string> render_template(std::string_view text, const std::string& file,
                                          const TemplateValues& values);

}  // namespace torchkiln::recipe
