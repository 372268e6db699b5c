#pragma once
// What the formats of an audit share: the pairs with their judgements, alike hosts and images as groups, and a
// buffer before the sink. Internal to console; the tests use it to show judgements that no rule gives.

#include "interface/console/audit_documents.hpp"

#include <array>
#include <map>
#include <span>
#include <utility>

namespace torchkiln::console {

/// An audit as the formats see it: audit::Report without its rules.
struct AuditGrid {
  std::span<const host::Machine> hosts;
  std::span<const audit::Image> images;
  std::vector<std::uint32_t> kind_of_host, kind_of_image;  ///< alike ones share their judgements
  std::function<audit::Verdict(std::size_t host, std::size_t image)> verdict;
  std::function<audit::Judgement(std::size_t host, std::size_t image)> judgement;
  std::array<std::uint64_t, audit::k_verdicts> counts{};
  DataAge data;

  std::uint64_t pairs() const { return static_cast<std::uint64_t>(hosts.size()) * images.size(); }
  std::uint64_t running() const;
};
/// `report` must outlive the grid.
AuditGrid grid_of(const audit::Report& report, const DataAge& data);

/// Hosts or images that are alike, in the order of their first members.
struct AuditGroup {
  std::string names;  ///< "node[001-128]", all of them
  std::vector<std::size_t> members;

  std::size_t first() const { return members.front(); }
};
std::vector<AuditGroup> groups_of_hosts(const AuditGrid& grid);
std::vector<AuditGroup> groups_of_images(const AuditGrid& grid);

/// Names in order as Slurm writes them: "node[001-003,007], login". Numbers with leading zeros only join numbers of
/// as many digits. Each name is made valid and printable.
std::string compressed(const std::vector<std::string>& names);
/// At most about `limit_bytes` of a list that compressed() made, cut between names: "a, b, … (12 hosts in all)".
std::string shortened(const AuditGroup& group, std::size_t limit_bytes, std::string_view what);

/// "driver 535.104.05, NVIDIA A100-SXM4-80GB, x86_64": what is known of a host, or "nothing is known".
std::string facts_of(const host::Machine& machine);

/// Text before it goes to the sink.
class AuditText {
 public:
  explicit AuditText(const AuditSink& sink) : m_sink(sink) {}
  ~AuditText() { flush(); }
  AuditText(const AuditText&) = delete;
  AuditText& operator=(const AuditText&) = delete;
  AuditText& operator<<(std::string_view text) {
    m_text += text;
    if (m_text.size() >= k_piece_bytes) flush();
    return *this;
  }

 private:
  static constexpr std::size_t k_piece_bytes = 64U << 10;
  void flush() {
    if (!m_text.empty()) m_sink(m_text);
    m_text.clear();
  }
  const AuditSink& m_sink;
  std::string m_text;
};

/// What a format writes about a judgement, made once for each pair of kinds and kept while there are not too many.
class AuditWords {
 public:
  AuditWords(const AuditGrid& grid, std::function<std::string(const audit::Judgement&)> write)
      : m_grid(grid), m_write(std::move(write)) {}
  const std::string& at(std::size_t host, std::size_t image);

 private:
  static constexpr std::size_t k_kept_bytes = 64U << 20;
  const AuditGrid& m_grid;
  std::function<std::string(const audit::Judgement&)> m_write;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::string> m_kept;
  std::size_t m_kept_bytes = 0;
};

void write_audit(AuditFormat format, const AuditGrid& grid, const AuditView& view, const AuditSink& sink);

void write_audit_table(const AuditGrid& grid, const AuditView& view, AuditText& out);
void write_audit_json(const AuditGrid& grid, AuditText& out);
void write_audit_jsonl(const AuditGrid& grid, AuditText& out);
void write_audit_csv(const AuditGrid& grid, AuditText& out);
void write_audit_markdown(const AuditGrid& grid, AuditText& out);
void write_audit_html(const AuditGrid& grid, AuditText& out);
void write_audit_sarif(const AuditGrid& grid, AuditText& out);
void write_audit_junit(const AuditGrid& grid, AuditText& out);
void write_audit_prometheus(const AuditGrid& grid, AuditText& out);

}  // namespace torchkiln::console
