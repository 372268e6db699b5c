#pragma once
// What an audit found, hosts × images, in the form that somebody needs it: people at a terminal, in a browser or on
// a pull request, programs, spreadsheets, code scanning, a CI server, Prometheus (docs/audit-formats.md).

#include "decision/audit/audit.hpp"
#include "interface/console/documents.hpp"
#include "interface/console/terminal.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::console {

enum class AuditFormat : std::uint8_t { table, json, jsonl, csv, markdown, html, sarif, junit, prometheus };
inline constexpr std::size_t k_audit_formats = 9;
/// "table", "json", …
std::string_view name(AuditFormat format);
/// The reverse; nothing for any other text.
std::optional<AuditFormat> parse_audit_format(std::string_view text);
/// All names, in the order of the enumeration, for an option's help and check.
std::vector<std::string> audit_format_names();

/// How wide a table may be and whether it is in colours. Only AuditFormat::table looks at it.
struct AuditView {
  Paint paint = Paint(Coloring::off);
  std::size_t columns = 100;
};
/// Columns of the terminal that standard output is; 100 where it is none, or says no sensible number.
std::size_t terminal_columns();

/// Takes the next piece of the document.
using AuditSink = std::function<void(std::string_view)>;

/// Writes the whole document in pieces of some 64 KiB: memory does not grow with the number of pairs. What is not
/// UTF-8 in a name becomes U+FFFD, and what would be a control code or markup in a format is written so that it is
/// none.
void write_audit(AuditFormat format, const audit::Report& report, const DataAge& data, const AuditView& view,
                 const AuditSink& sink);

}  // namespace torchkiln::console
