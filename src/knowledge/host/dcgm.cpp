// dcgm-exporter's metrics in Prometheus' text format (prometheus.io, "Exposition formats"). What matters is in the
// labels: Hostname (lower-case in newer releases), UUID, modelName and DCGM_FI_DRIVER_VERSION. A GPU has many
// series, and with MIG one for each instance, so that GPUs are counted by UUID.

#include "foundation/base/text.hpp"
#include "knowledge/host/fields.hpp"
#include "knowledge/host/inventory_kinds.hpp"

#include <unordered_map>
#include <unordered_set>

namespace torchkiln::host {

using base::ErrorCode;
using base::Result;

namespace {

/// The labels that are read here.
struct Labels {
  std::string host, uuid, model, driver;
};

std::string* wanted(Labels& labels, std::string_view name) {
  if (name == "Hostname" || name == "hostname") return &labels.host;
  if (name == "UUID") return &labels.uuid;
  if (name == "modelName") return &labels.model;
  if (name == "DCGM_FI_DRIVER_VERSION") return &labels.driver;
  return nullptr;
}

/// Reads one line of the format, and knows how far it came.
class LabelReader {
 public:
  explicit LabelReader(std::string_view line) : m_line(line), m_at(line.find('{')) {}

  /// The labels of the line; nothing when it has none. Fails where the braces, quotes or escapes do not close.
  Result<Labels> read() {
    Labels labels;
    if (m_at == std::string_view::npos) return labels;
    ++m_at;
    while (true) {
      skip_blanks();
      if (m_at < m_line.size() && m_line[m_at] == '}') return labels;
      const auto equals = m_line.find('=', m_at);
      if (equals == std::string_view::npos) return wrong("has a label without a value");
      const auto name = base::trim(m_line.substr(m_at, equals - m_at));
      m_at = equals + 1;
      skip_blanks();
      TK_TRY(auto value, read_quoted());
      if (auto* slot = wanted(labels, name)) *slot = std::move(value);
      skip_blanks();
      if (m_at < m_line.size() && m_line[m_at] == ',')
        ++m_at;
      else if (m_at >= m_line.size() || m_line[m_at] != '}')
        return wrong("lacks a comma or brace after a label");
    }
  }
  int column() const { return 1 + static_cast<int>(m_at); }

 private:
  static base::Unexpected wrong(std::string message) {
    return base::fail(ErrorCode::input_invalid, std::move(message));
  }
  void skip_blanks() {
    while (m_at < m_line.size() && (m_line[m_at] == ' ' || m_line[m_at] == '\t')) ++m_at;
  }
  /// "…" with \\, \" and \n.
  Result<std::string> read_quoted() {
    if (m_at >= m_line.size() || m_line[m_at] != '"') return wrong("has a label's value without quotes");
    std::string value;
    for (++m_at; m_at < m_line.size(); ++m_at) {
      const char c = m_line[m_at];
      if (c == '"') return ++m_at, value;
      if (c != '\\') {
        value += c;
        continue;
      }
      if (++m_at == m_line.size()) break;
      value += m_line[m_at] == 'n' ? '\n' : m_line[m_at];
    }
    return wrong("has a label's value that does not end");
  }

  std::string_view m_line;
  std::size_t m_at;
};

/// Machines as they come up, and which GPUs of each were counted.
class Collector {
 public:
  explicit Collector(const std::string& file) : m_file(file) {}

  void add(Labels labels, int line) {
    const auto source = base::Place{m_file, line, 0}.to_string();
    if (labels.host.empty()) labels.host = stem(m_file);
    auto& machine = machine_of(printable(labels.host).substr(0, k_machine_name_max));
    if (!labels.driver.empty()) put_driver(labels.driver, source, machine);
    // MIG instances may have a UUID of their own ("MIG-…"), but their GPU's series come with the same model too.
    if (labels.uuid.empty() || labels.uuid.starts_with("MIG-")) return;
    if (!m_counted.insert(machine.name + "\n" + labels.uuid).second) return;
    MachineGpus gpu;
    gpu.model = printable(labels.model);
    gpu.named_by = NamedBy::driver;
    gpu.source = source;
    add_gpu(machine.gpus, std::move(gpu));
  }
  std::vector<Machine> take() { return std::move(m_machines); }

 private:
  Machine& machine_of(std::string name) {
    const auto [entry, is_new] = m_by_name.emplace(name, m_machines.size());
    if (is_new) m_machines.emplace_back().name = std::move(name);
    return m_machines[entry->second];
  }
  /// Another driver on the same machine is worth one note, not one a series.
  static void put_driver(const std::string& text, const std::string& source, Machine& machine) {
    if (machine.driver && machine.driver->value.to_string() == text) return;
    if (!machine.notes.empty()) return;
    auto driver = driver_fact(text, source, machine.notes);
    if (!driver) return;
    if (!machine.driver)
      machine.driver = std::move(driver);
    else
      machine.notes.push_back("the driver is " + machine.driver->value.to_string() + " by " +
                              machine.driver->source + ", but " + driver->value.to_string() + " by " + source +
                              "; the first is used");
  }

  std::string m_file;
  std::vector<Machine> m_machines;
  std::unordered_map<std::string, std::size_t> m_by_name;
  std::unordered_set<std::string> m_counted;
};

}  // namespace

Machines read_dcgm(std::string_view text, const std::string& file) {
  Collector collector(file);
  int number = 0;
  for (const auto line : base::lines(text)) {
    ++number;
    if (!line.starts_with("DCGM_")) continue;
    LabelReader reader(line);
    auto labels = reader.read();
    if (!labels)
      return base::fail_at(ErrorCode::input_invalid, base::Place{file, number, reader.column()},
                           "this series " + labels.error().message);
    collector.add(std::move(*labels), number);
  }
  return collector.take();
}

}  // namespace torchkiln::host
