// CSV by RFC 4180 with a header row, a row a machine or a row a GPU; also what nvidia-smi --query-gpu writes, which
// puts a blank after each comma and does not name the machine.

#include "foundation/base/text.hpp"
#include "knowledge/host/fields.hpp"
#include "knowledge/host/inventory_kinds.hpp"

#include <algorithm>
#include <array>
#include <unordered_map>

namespace torchkiln::host {

using base::ErrorCode;
using base::Result;

namespace {

struct Cell {
  std::string text;
  int line = 0;
  int column = 0;
};
using Row = std::vector<Cell>;

/// Reads the rows of a text one by one.
class RowReader {
 public:
  RowReader(std::string_view text, const std::string& file) : m_text(text), m_file(file) {}

  /// The next row that is not blank; an empty one at the end.
  Result<Row> next() {
    Row row;
    while (m_at < m_text.size()) {
      TK_TRY(auto cell, read_cell());
      row.push_back(std::move(cell));
      if (m_at < m_text.size() && m_text[m_at] == ',') {
        step();
        if (m_at == m_text.size()) row.push_back({"", m_line, column()});
        continue;
      }
      end_line();
      if (row.size() > 1 || !row.front().text.empty()) return row;
      row.clear();
    }
    return row;
  }

 private:
  int column() const { return 1 + static_cast<int>(m_at - m_line_begin); }
  void step() {
    if (m_text[m_at++] != '\n') return;
    ++m_line;
    m_line_begin = m_at;
  }
  void end_line() {
    if (m_at < m_text.size() && m_text[m_at] == '\r') step();
    if (m_at < m_text.size() && m_text[m_at] == '\n') step();
  }
  bool at_end() const {
    return m_at == m_text.size() || m_text[m_at] == ',' || m_text[m_at] == '\n' ||
           (m_text[m_at] == '\r' && (m_at + 1 == m_text.size() || m_text[m_at + 1] == '\n'));
  }
  base::Unexpected wrong(std::string message) const {
    return base::fail_at(ErrorCode::input_invalid, {m_file, m_line, column()}, std::move(message));
  }
  Result<Cell> read_cell() {
    while (m_at < m_text.size() && (m_text[m_at] == ' ' || m_text[m_at] == '\t')) step();
    Cell cell{"", m_line, column()};
    if (m_at < m_text.size() && m_text[m_at] == '"') {
      TK_CHECK(read_quoted(cell.text));
      return cell;
    }
    while (!at_end()) {
      cell.text += m_text[m_at];
      step();
    }
    cell.text = std::string(base::trim(cell.text));
    return cell;
  }
  /// "…" with "" for a quote; commas and line ends inside belong to the text.
  Result<void> read_quoted(std::string& text) {
    const auto open = *this;
    for (step(); m_at < m_text.size(); step()) {
      if (m_text[m_at] == '"') {
        if (m_at + 1 == m_text.size() || m_text[m_at + 1] != '"') break;
        step();
      }
      text += m_text[m_at];
    }
    if (m_at == m_text.size()) return open.wrong("this quotation does not end");
    step();
    while (m_at < m_text.size() && (m_text[m_at] == ' ' || m_text[m_at] == '\t')) step();
    if (!at_end()) return wrong("a comma must follow the closing quotation mark");
    return {};
  }

  std::string_view m_text;
  std::string m_file;
  std::size_t m_at = 0;
  std::size_t m_line_begin = 0;
  int m_line = 1;
};

enum class Column { host, driver, gpu, count, compute, architecture, glibc, compat, runtime };
constexpr std::size_t k_columns = 9;

struct ColumnName {
  std::string_view name;
  Column column;
};
/// "name" is not here: it is the machine's, or in nvidia-smi's tables the GPU's.
constexpr std::array<ColumnName, 20> k_names{{{"host", Column::host},
                                              {"hostname", Column::host},
                                              {"node", Column::host},
                                              {"machine", Column::host},
                                              {"driver", Column::driver},
                                              {"driver_version", Column::driver},
                                              {"gpu", Column::gpu},
                                              {"gpus", Column::gpu},
                                              {"gpu_name", Column::gpu},
                                              {"gpu_model", Column::gpu},
                                              {"model", Column::gpu},
                                              {"count", Column::count},
                                              {"gpu_count", Column::count},
                                              {"compute_cap", Column::compute},
                                              {"compute_capability", Column::compute},
                                              {"arch", Column::architecture},
                                              {"architecture", Column::architecture},
                                              {"glibc", Column::glibc},
                                              {"compat", Column::compat},
                                              {"runtime", Column::runtime}}};

/// "memory.total [MiB]" is "memory_total", "GPU Model" is "gpu_model".
std::string column_name(std::string_view text) {
  auto name = base::lower(base::trim(text.substr(0, text.find('['))));
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == ' ' || c == '.' || c == '-'; }, '_');
  return name;
}

/// Which cell of a row has what.
class Header {
 public:
  explicit Header(const Row& row) : m_width(row.size()) {
    m_cells.fill(k_none);
    std::size_t name = k_none;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const auto text = column_name(row[i].text);
      if (text == "name") name = i;
      if (text == "uuid" || text == "driver_version" || text == "compute_cap") m_is_nvidia_smi = true;
      for (const auto& known : k_names)
        if (text == known.name && !has(known.column)) cell(known.column) = i;
    }
    m_is_nvidia_smi = m_is_nvidia_smi && !has(Column::host) && !has(Column::gpu);
    if (name != k_none && !has(m_is_nvidia_smi ? Column::gpu : Column::host))
      cell(m_is_nvidia_smi ? Column::gpu : Column::host) = name;
  }
  bool has(Column column) const { return m_cells[static_cast<std::size_t>(column)] != k_none; }
  /// nvidia-smi's own table: every row is a GPU, and the machine is not named.
  bool is_nvidia_smi() const { return m_is_nvidia_smi; }
  bool is_complete() const {
    return (has(Column::host) || m_is_nvidia_smi) &&
           (has(Column::driver) || has(Column::gpu) || has(Column::compute));
  }
  std::size_t width() const { return m_width; }
  /// The cell of a row; nothing where the table lacks the column or the cell says that there is no value.
  const Cell* find(const Row& row, Column column) const {
    if (!has(column)) return nullptr;
    const auto& found = row[m_cells[static_cast<std::size_t>(column)]];
    return is_absent(found.text) ? nullptr : &found;
  }

 private:
  static constexpr std::size_t k_none = static_cast<std::size_t>(-1);
  std::size_t& cell(Column column) { return m_cells[static_cast<std::size_t>(column)]; }
  std::array<std::size_t, k_columns> m_cells{};
  std::size_t m_width;
  bool m_is_nvidia_smi = false;
};

base::Unexpected wrong_cell(const std::string& file, const Cell& cell, base::Error error) {
  error.code = ErrorCode::input_invalid;
  error.where = base::Place{file, cell.line, cell.column};
  return base::fail(std::move(error));
}

template <class T, class Parse>
Result<void> put(const std::string& file, const Cell* cell, Parse parse, std::optional<Fact<T>>& fact) {
  if (!cell) return {};
  auto value = parse(cell->text);
  if (!value) return wrong_cell(file, *cell, std::move(value).error());
  fact = Fact<T>{std::move(*value), base::Place{file, cell->line, 0}.to_string()};
  return {};
}

/// The GPUs of a row: a count, and either the driver's name of one model or what a person writes ("8xH100+A100").
Result<void> put_gpus(const Header& header, const Row& row, const std::string& file, Machine& machine) {
  const auto source = base::Place{file, row.front().line, 0}.to_string();
  unsigned times = 1;
  if (const auto* cell = header.find(row, Column::count)) {
    const auto count = base::parse_integer(cell->text);
    if (!count || *count < 0 || *count > k_gpus_max)
      return wrong_cell(file, *cell,
                        {ErrorCode::input_invalid,
                         "\"" + printable(cell->text) + "\" is no number of GPUs",
                         std::nullopt,
                         {},
                         {}});
    if (*count == 0) return machine.without_gpu = source, Result<void>();
    times = static_cast<unsigned>(*count);
  }
  std::optional<Fact<version::ComputeCapability>> compute;
  TK_CHECK(put(file, header.find(row, Column::compute), version::ComputeCapability::parse, compute));
  const auto* model = header.find(row, Column::gpu);
  if (!model && !compute) return {};
  if (!model || header.is_nvidia_smi()) {
    MachineGpus gpus;
    if (model) gpus.model = printable(model->text);
    if (compute) gpus.compute = compute->value;
    gpus.count = times;
    gpus.named_by = NamedBy::driver;
    gpus.source = source;
    add_gpu(machine.gpus, std::move(gpus));
    return {};
  }
  for (const auto part : base::split(model->text, '+')) {
    auto gpus = parse_gpus(part);
    if (!gpus) return wrong_cell(file, *model, std::move(gpus).error());
    if (compute) gpus->compute = compute->value;
    gpus->count = std::min(k_gpus_max, gpus->count * times);
    gpus->source = source;
    add_gpu(machine.gpus, std::move(*gpus));
  }
  return {};
}

Result<Machine> read_row(const Header& header, const Row& row, const std::string& file) {
  Machine machine;
  if (const auto* cell = header.find(row, Column::host)) {
    auto name = parse_machine_name(cell->text);
    if (!name) return wrong_cell(file, *cell, std::move(name).error());
    machine.name = std::move(*name);
  } else if (header.is_nvidia_smi()) {
    machine.name = stem(file);
  } else {
    return wrong_cell(file, row.front(),
                      {ErrorCode::input_invalid, "this row names no host", std::nullopt, {}, {}});
  }
  TK_CHECK(put(file, header.find(row, Column::driver), version::DriverVersion::parse, machine.driver));
  TK_CHECK(put(file, header.find(row, Column::architecture), parse_machine_architecture, machine.architecture));
  TK_CHECK(put(file, header.find(row, Column::glibc), version::Version::parse, machine.glibc));
  TK_CHECK(put(file, header.find(row, Column::compat), parse_compat_package, machine.compat_package));
  TK_CHECK(put(file, header.find(row, Column::runtime), parse_injection, machine.injection));
  TK_CHECK(put_gpus(header, row, file, machine));
  return machine;
}

}  // namespace

bool is_csv(std::string_view text) {
  RowReader reader(text.substr(0, text.find('\n', text.find_first_not_of(" \t\r\n"))), "");
  const auto row = reader.next();
  return row && row->size() > 1 && Header(*row).is_complete();
}

Machines read_csv(std::string_view text, const std::string& file) {
  RowReader reader(text, file);
  TK_TRY(auto row, reader.next());
  const Header header(row);
  std::vector<Machine> machines;
  std::unordered_map<std::string, std::size_t> by_name;
  while (true) {
    TK_TRY(row, reader.next());
    if (row.empty()) return machines;
    if (row.size() != header.width())
      return wrong_cell(
          file, row.front(),
          {ErrorCode::input_invalid,
           "this row has " + std::to_string(row.size()) + " cells, the header " + std::to_string(header.width()),
           std::nullopt,
           {},
           {}});
    TK_TRY(auto machine, read_row(header, row, file));
    // A further row of a machine adds its GPUs; its other facts go into merge(), which compares them.
    const auto [entry, is_new] = by_name.emplace(machine.name, machines.size());
    if (!is_new) {
      for (auto& gpu : machine.gpus) add_gpu(machines[entry->second].gpus, std::move(gpu));
      machine.gpus.clear();
    }
    machines.push_back(std::move(machine));
  }
}

}  // namespace torchkiln::host
