// The text format of Prometheus for node_exporter's textfile collector: HELP and TYPE once, no time stamps, a line
// end at the end. Whoever stores it writes a temporary file and renames it, as the collector asks.

#include "foundation/base/text.hpp"
#include "interface/console/audit_grid.hpp"
#include "interface/console/audit_text.hpp"

#include <set>

#include <fmt/format.h>

namespace torchkiln::console {

namespace {

/// A label's value with its quotes; the format knows three escapes.
std::string label(std::string_view value) {
  std::string text = "\"";
  for (const char c : valid_utf8(value)) {
    if (c == '\n') {
      text += "\\n";
      continue;
    }
    if (c == '\\' || c == '"') text += '\\';
    text += c;
  }
  return text + '"';
}

/// Labels of one dimension. Of equal ones, which would make two series one, the later get " (2)", " (3)".
class Labels {
 public:
  std::string next(const std::string& value) {
    auto text = label(value);
    for (int number = 2; !m_taken.insert(text).second; ++number)
      text = label(fmt::format("{} ({})", value, number));
    return text;
  }

 private:
  std::set<std::string> m_taken;
};

void head(AuditText& out, std::string_view metric, std::string_view help) {
  out << "# HELP " << metric << " " << help << "\n# TYPE " << metric << " gauge\n";
}

}  // namespace

void write_audit_prometheus(const AuditGrid& grid, AuditText& out) {
  head(out, "torchkiln_audit_pair_runs",
       "1 where the image runs on the host, 0 where it does not or where a fact is missing (verdict unknown).");
  Labels host_labels, image_labels;
  std::vector<std::string> images, verdicts;
  for (const auto& image : grid.images) images.push_back(",image=" + image_labels.next(image.name) + ",verdict=\"");
  for (std::size_t i = 0; i < audit::k_verdicts; ++i) {
    const auto verdict = static_cast<audit::Verdict>(i);
    verdicts.push_back(fmt::format("{}\"}} {}\n", name(verdict), audit::runs(verdict) ? 1 : 0));
  }
  for (std::size_t host = 0; host < grid.hosts.size(); ++host) {
    const auto begin = "torchkiln_audit_pair_runs{host=" + host_labels.next(grid.hosts[host].name);
    for (std::size_t image = 0; image < grid.images.size(); ++image)
      out << begin << images[image] << verdicts[static_cast<std::size_t>(grid.verdict(host, image))];
  }
  head(out, "torchkiln_audit_pairs", "Pairs of host and image by verdict.");
  for (std::size_t i = 0; i < audit::k_verdicts; ++i)
    out << fmt::format("torchkiln_audit_pairs{{verdict=\"{}\"}} {}\n", name(static_cast<audit::Verdict>(i)),
                       grid.counts[i]);
  head(out, "torchkiln_audit_hosts", "Hosts that were audited.");
  out << fmt::format("torchkiln_audit_hosts {}\n", grid.hosts.size());
  head(out, "torchkiln_audit_images", "Images that were audited.");
  out << fmt::format("torchkiln_audit_images {}\n", grid.images.size());
  if (const auto date = base::parse_time(grid.data.date + "T00:00:00Z")) {
    head(out, "torchkiln_audit_data_timestamp_seconds",
         "The newest date in the compatibility data, in seconds since 1970.");
    out << fmt::format("torchkiln_audit_data_timestamp_seconds {}\n", *date);
  }
}

}  // namespace torchkiln::console
