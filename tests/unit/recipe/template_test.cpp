#include "plan/recipe/template.hpp"

#include "support/must.hpp"

#include <catch2/catch.hpp>

using namespace torchkiln::recipe;
using torchkiln::base::ErrorCode;
using torchkiln::test::error_of;
using torchkiln::test::must;
using Texts = std::vector<std::string>;

namespace {

TemplateValues values() {
  TemplateValues values;
  values.texts = {{"name", "kiln"}, {"python", "3.11"}, {"markup", "<a href=\"x\">'&'</a>"}, {"empty", ""}};
  values.lists = {{"items",
                   {{{{"key", "A"}, {"value", "1"}}, {{"deep", {{{{"leaf", "x"}}, {}}, {{{"leaf", "y"}}, {}}}}}},
                    {{{"key", "B"}, {"value", "2"}}, {{"deep", {}}}}}},
                  {"none", {}}};
  return values;
}
std::string render(std::string_view text) {
  return must(render_template(text, "x.mustache", values()));
}
/// "x.mustache:2: message (hint)".
std::string refusal(std::string_view text) {
  const auto error = error_of(render_template(text, "x.mustache", values()));
  CHECK(error.code == ErrorCode::template_invalid);
  REQUIRE(error.where);
  return error.where->to_string() + ": " + error.message + (error.hints.empty() ? "" : " (" + error.hints[0] + ")");
}

}  // namespace

TEST_CASE("texts, lists and empty lists are rendered, and what is not a tag is left as it is") {
  CHECK(render("# {{name}} {{ python }} {{{name}}} {{&name}} {{empty}}!\n") == "# kiln 3.11 kiln kiln !\n");
  CHECK(render("{{#items}}\n{{key}}={{value}} {{name}}\n{{/items}}\nend\n") == "A=1 kiln\nB=2 kiln\nend\n");
  CHECK(render("{{#items}}{{key}}{{/items}}{{^items}}never{{/items}}") == "AB");
  CHECK(render("{{#items}}{{key}}{{#deep}}{{leaf}}{{key}}{{/deep}}{{^deep}}-{{/deep}} {{/items}}") == "AxAyA B- ");
  CHECK(render("{{#none}}{{/none}}{{^none}}nothing{{/none}}") == "nothing");
  CHECK(render("{{! a comment }}x") == "x");
  CHECK(render("$x `y` \\z } { }} text\n") == "$x `y` \\z } { }} text\n");
  CHECK(render("") == "");
}

TEST_CASE("nothing is escaped for HTML") {
  CHECK(render("{{markup}}{{{markup}}}") == "<a href=\"x\">'&'</a><a href=\"x\">'&'</a>");
}

TEST_CASE("a name without a value is an error with its line and the nearest name") {
  CHECK(refusal("a\n{{pyhton}}\n") == "x.mustache:2: {{pyhton}} has no value (did you mean {{python}}?)");
  CHECK(refusal("{{something_else_entirely}}") == "x.mustache:1: {{something_else_entirely}} has no value");
  CHECK(refusal("\n\n  {{{ nmae }}}") == "x.mustache:3: {{nmae}} has no value (did you mean {{name}}?)");
  CHECK(refusal("{{&nmae}}") == "x.mustache:1: {{nmae}} has no value (did you mean {{name}}?)");
  CHECK(refusal("a {{name}} b {{nam}}") == "x.mustache:1: {{nam}} has no value (did you mean {{name}}?)");
  CHECK(refusal("{{}}") == "x.mustache:1: {{}} has no value");
  CHECK(refusal("{{name.length}}") == "x.mustache:1: {{name.length}} has no value");
}

TEST_CASE("a list that is not there is an error, not nothing") {
  CHECK(refusal("x\n{{#item}}\n{{key}}\n{{/item}}\n") ==
        "x.mustache:2: {{item}} has no value (did you mean {{items}}?)");
  CHECK(refusal("{{^item}}x{{/item}}") == "x.mustache:1: {{item}} has no value (did you mean {{items}}?)");
}

TEST_CASE("a list item's names are known inside the list only") {
  CHECK(refusal("{{#items}}\n{{key}}\n{{/items}}\n{{key}}\n") == "x.mustache:4: {{key}} has no value");
  CHECK(refusal("{{#items}}\n{{other}}\n{{/items}}\n") == "x.mustache:2: {{other}} has no value");
}

TEST_CASE("partials are refused") {
  CHECK(refusal("a\nb {{> name }}") == "x.mustache:2: {{> name}}: templates do not include others");
  CHECK(refusal("{{>name}}") == "x.mustache:1: {{> name}}: templates do not include others");
}

TEST_CASE("other delimiters are refused") {
  CHECK(refusal("{{=<% %>=}}\n<% nobody %>") == "x.mustache:1: {{=<% %>=}}: the delimiters stay as they are");
}

TEST_CASE("sections that are not closed, not opened or crossed are errors with their line") {
  CHECK(refusal("a\n{{#items}}\nb\n") == "x.mustache:2: the section {{#items}} is not closed");
  CHECK(refusal("a\n\n{{/items}}\n") == "x.mustache:3: {{/items}} closes a section that is not open");
  CHECK(refusal("{{#items}}\n{{#none}}\n{{/items}}{{/none}}") ==
        "x.mustache:3: {{/items}} closes a section that is not open");
  CHECK(refusal("a\nb {{name\n") == "x.mustache:2: a tag is not closed");
  CHECK(refusal("a\nb {{{name}}\n") == "x.mustache:2: a tag is not closed");
}

TEST_CASE("a text is no section and a list is no text") {
  CHECK(refusal("{{#name}}x{{/name}}") == "x.mustache:1: {{name}} has no value");
  CHECK(refusal("{{items}}") == "x.mustache:1: {{items}} has no value");
}

TEST_CASE("names are checked where nothing is rendered, too") {
  CHECK(refusal("{{^items}}{{pyhton}}{{/items}}") ==
        "x.mustache:1: {{pyhton}} has no value (did you mean {{python}}?)");
}

TEST_CASE("a value that looks like a tag is text") {
  TemplateValues tags;
  tags.texts = {{"name", "{{other}} {{#x}}"}};
  CHECK(must(render_template("{{name}}", "x", tags)) == "{{other}} {{#x}}");
}
