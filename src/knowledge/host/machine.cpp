#include "knowledge/host/machine.hpp"

#include "foundation/base/text.hpp"
#include "knowledge/host/fields.hpp"

#include <algorithm>
#include <array>

namespace torchkiln::host {

using base::ErrorCode;
using base::fail;
using base::Result;

namespace {

constexpr std::string_view k_option = "--host";
constexpr std::array<std::string_view, 7> k_keys{"name", "driver", "gpu", "arch", "glibc", "compat", "runtime"};

/// key=value, and where the two begin in the whole text, counted from 1.
struct Field {
  std::string_view key, value;
  int key_column = 0;
  int value_column = 0;
};

base::Place place_at(int column) {
  return {std::string(k_option), 1, column};
}

base::Unexpected wrong(int column, std::string message, std::vector<std::string> hints = {}) {
  return base::fail_at(ErrorCode::usage, place_at(column), std::move(message), std::move(hints));
}

/// The same Error as `error`, as one of the command line with its place.
base::Unexpected wrong(int column, base::Error error) {
  return wrong(column, printable(error.message), std::move(error.hints));
}

/// `text` without white space at its ends; `column` moves to where it begins.
std::string_view trimmed(std::string_view text, int& column) {
  const auto begin = text.find_first_not_of(" \t");
  if (begin != std::string_view::npos) column += static_cast<int>(begin);
  return base::trim(text);
}

Result<std::vector<Field>> split_fields(std::string_view text) {
  std::vector<Field> fields;
  int column = 1;
  for (const auto part : base::split(text, ',')) {
    Field field;
    field.key_column = column;
    const auto equals = part.find('=');
    field.key = trimmed(part.substr(0, equals), field.key_column);
    if (equals == std::string_view::npos)
      return wrong(field.key_column, "\"" + printable(field.key) + "\" is not key=value",
                   {"for example --host name=a,driver=535.104.05,gpu=A100"});
    field.value_column = column + static_cast<int>(equals) + 1;
    field.value = trimmed(part.substr(equals + 1), field.value_column);
    fields.push_back(field);
    column += static_cast<int>(part.size()) + 1;
  }
  return fields;
}

Result<void> check_keys(const std::vector<Field>& fields) {
  const std::vector<std::string> known(k_keys.begin(), k_keys.end());
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const auto& field = fields[i];
    const std::string key = printable(field.key);
    if (std::find(known.begin(), known.end(), field.key) == known.end()) {
      const auto guess = base::nearest(field.key, known);
      return wrong(field.key_column, "unknown key \"" + key + "\"",
                   {guess ? "did you mean \"" + *guess + "\"?" : "known keys are " + base::join(known, ", ")});
    }
    for (std::size_t k = 0; k < i; ++k)
      if (fields[k].key == field.key) return wrong(field.key_column, "\"" + key + "\" is given twice");
    if (field.value.empty()) return wrong(field.value_column, "\"" + key + "\" has no value");
  }
  return {};
}

Result<std::vector<MachineGpus>> parse_gpu_list(const Field& field) {
  std::vector<MachineGpus> gpus;
  int column = field.value_column;
  for (const auto part : base::split(field.value, '+')) {
    auto parsed = parse_gpus(part);
    if (!parsed) return wrong(column, std::move(parsed).error());
    parsed->source = k_option;
    add_gpu(gpus, std::move(*parsed));
    column += static_cast<int>(part.size()) + 1;
  }
  return gpus;
}

/// Puts what `parse` reads in the field's value into `fact`.
template <class T, class Parse>
Result<void> put(std::optional<Fact<T>>& fact, const Field& field, Parse parse) {
  auto value = parse(field.value);
  if (!value) return wrong(field.value_column, std::move(value).error());
  fact = Fact<T>{std::move(*value), std::string(k_option)};
  return {};
}

Result<void> put_field(const Field& field, Machine& machine) {
  if (field.key == "driver") return put(machine.driver, field, version::DriverVersion::parse);
  if (field.key == "arch") return put(machine.architecture, field, parse_machine_architecture);
  if (field.key == "glibc") return put(machine.glibc, field, version::Version::parse);
  if (field.key == "compat") return put(machine.compat_package, field, parse_compat_package);
  if (field.key == "runtime") return put(machine.injection, field, parse_injection);
  if (field.key == "gpu") {
    TK_TRY(machine.gpus, parse_gpu_list(field));
    return {};
  }
  auto name = parse_machine_name(field.value);
  if (!name) return wrong(field.value_column, std::move(name).error());
  machine.name = std::move(*name);
  return {};
}

}  // namespace

Result<Machine> parse_machine(std::string_view text) {
  TK_TRY(const auto fields, split_fields(text));
  TK_CHECK(check_keys(fields));
  Machine machine;
  for (const auto& field : fields) TK_CHECK(put_field(field, machine));
  if (machine.name.empty()) {
    auto name = parse_machine_name(text);
    if (!name) return wrong(1, std::move(name).error());
    machine.name = std::move(*name);
  }
  return machine;
}

}  // namespace torchkiln::host
