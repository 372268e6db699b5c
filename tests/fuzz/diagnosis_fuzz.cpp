// Logs hold anything.

#include "decision/diagnosis/diagnosis.hpp"
#include "decision/diagnosis/known_errors.hpp"
#include "foundation/base/error.hpp"

#include <algorithm>
#include <set>

using namespace torchkiln;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view log(reinterpret_cast<const char*>(data), size);
  const auto lines = static_cast<std::size_t>(std::count(log.begin(), log.end(), '\n')) + 1;
  std::set<std::string> ids;
  for (const auto& finding : diagnosis::diagnose(log)) {
    TK_ASSERT(ids.insert(finding.id).second, "each error is told once");
    TK_ASSERT(finding.line >= 1 && finding.line <= lines && finding.times >= 1 && finding.times <= lines,
              "an error stands in a line");
    TK_ASSERT(finding.quote.find('\x1b') == std::string::npos && finding.quote.size() < 500,
              "a quote is fit to show");
    for (const auto& remedy : finding.remedies)
      TK_ASSERT(remedy.command.find('\n') == std::string::npos, "a command is one line");
  }
  const auto text = diagnosis::normalized(log);
  TK_ASSERT(diagnosis::normalized(text) == text, "what is normalized stays as it is");
  return 0;
}
