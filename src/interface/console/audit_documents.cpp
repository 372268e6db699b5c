#include "interface/console/audit_documents.hpp"

#include "interface/console/audit_grid.hpp"

#include <sys/ioctl.h>

namespace torchkiln::console {

namespace {

constexpr std::array<std::string_view, k_audit_formats> k_names = {
    "table", "json", "jsonl", "csv", "markdown", "html", "sarif", "junit", "prometheus"};

}  // namespace

std::string_view name(AuditFormat format) {
  return k_names[static_cast<std::size_t>(format)];
}

std::optional<AuditFormat> parse_audit_format(std::string_view text) {
  for (std::size_t i = 0; i < k_names.size(); ++i)
    if (k_names[i] == text) return static_cast<AuditFormat>(i);
  return std::nullopt;
}

std::vector<std::string> audit_format_names() {
  return {k_names.begin(), k_names.end()};
}

std::size_t terminal_columns() {
  winsize size = {};
  if (::ioctl(1, TIOCGWINSZ, &size) != 0 || size.ws_col <= 20) return AuditView().columns;
  return size.ws_col;
}

void write_audit(AuditFormat format, const audit::Report& report, const DataAge& data, const AuditView& view,
                 const AuditSink& sink) {
  write_audit(format, grid_of(report, data), view, sink);
}

void write_audit(AuditFormat format, const AuditGrid& grid, const AuditView& view, const AuditSink& sink) {
  AuditText out(sink);
  switch (format) {
    case AuditFormat::table:
      return write_audit_table(grid, view, out);
    case AuditFormat::json:
      return write_audit_json(grid, out);
    case AuditFormat::jsonl:
      return write_audit_jsonl(grid, out);
    case AuditFormat::csv:
      return write_audit_csv(grid, out);
    case AuditFormat::markdown:
      return write_audit_markdown(grid, out);
    case AuditFormat::html:
      return write_audit_html(grid, out);
    case AuditFormat::sarif:
      return write_audit_sarif(grid, out);
    case AuditFormat::junit:
      return write_audit_junit(grid, out);
    case AuditFormat::prometheus:
      return write_audit_prometheus(grid, out);
  }
}

}  // namespace torchkiln::console
