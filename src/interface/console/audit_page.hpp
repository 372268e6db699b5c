#pragma once
// Style sheet and script of the page that audit_html.cpp writes.

#include <string_view>

namespace torchkiln::console {

extern const std::string_view k_audit_style;
extern const std::string_view k_audit_script;

}  // namespace torchkiln::console
