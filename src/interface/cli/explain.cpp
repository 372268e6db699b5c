// torchkiln explain: the cause and the fix of an error text.

#include "foundation/sys/files.hpp"
#include "foundation/sys/interrupt.hpp"
#include "interface/cli/commands.hpp"
#include "interface/console/audit_documents.hpp"
#include "interface/console/explain_document.hpp"

#include <cerrno>
#include <unistd.h>

namespace torchkiln::cli {

using base::Result;

namespace {

struct Options {
  std::string file = "-";
  bool this_host = false;
};

/// Standard input, or its last k_log_bytes.
Result<std::string> read_input() {
  std::string text, piece(64U << 10, '\0');
  for (;;) {
    const auto count = ::read(0, piece.data(), piece.size());
    if (sys::interrupted()) return sys::interrupted_error();
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return base::fail(sys::file_error("read", "standard input", errno));
    if (count == 0) return text;
    text.append(piece, 0, static_cast<std::size_t>(count));
    if (text.size() > 2 * diagnosis::k_log_bytes) text.erase(0, text.size() - diagnosis::k_log_bytes);
  }
}

/// What is no file and has blanks in it is the error itself.
Result<std::string> read_log(const std::string& file) {
  if (file == "-") return read_input();
  std::error_code error;
  if (file.find(' ') != std::string::npos && !std::filesystem::exists(file, error)) return file;
  return sys::read_file(file, diagnosis::k_log_bytes);
}

Result<int> explain(const Options& options, Session& session) {
  TK_TRY(const auto log, read_log(options.file));
  std::vector<console::Explanation> explanations;
  for (auto& finding : diagnosis::diagnose(log)) explanations.push_back({std::move(finding), {}});
  if (options.this_host && !explanations.empty()) {
    TK_TRY(const auto matrix, session.load_matrix());
    const auto machine = host::this_machine();
    for (auto& one : explanations) one.bearings = diagnosis::bearings(one.finding, machine, matrix);
  }
  session.print(console::explain_text(explanations, session.paint(), console::terminal_columns()),
                console::explain_json(explanations));
  return explanations.empty() ? 1 : 0;
}

}  // namespace

void add_explain(CLI::App& program, Action& chosen) {
  auto* command = program.add_subcommand("explain", "Say an error text's cause and fix");
  auto options = std::make_shared<Options>();
  command
      ->add_option("file", options->file, "A log, or an error's text in quotes; - for standard input (the default)")
      ->type_name("FILE");
  command->add_flag("--this-host", options->this_host, "Add what bears on it of this machine's driver and GPUs");
  command->callback([&chosen, options] {
    chosen = [options](Session& session) -> Result<int> { return explain(*options, session); };
  });
}

}  // namespace torchkiln::cli
