// A report comes out of a container that may run anything.

#include "proof/report/test_run.hpp"

using namespace torchkiln;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto run = report::parse_report(bytes, "report.json");
  if (!run) return 0;
  TK_ASSERT(run->reached <= report::level_borne_out(run->tests), "a level is borne out by its tests");
  const auto written = report::to_report(*run);
  TK_ASSERT(written, "a report that is read can be written");
  const auto again = report::parse_report(*written, "report.json");
  TK_ASSERT(again && report::to_report(*again) == *written, "a report is written as it is read");
  return 0;
}
