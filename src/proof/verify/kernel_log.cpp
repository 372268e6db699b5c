#include "proof/verify/kernel_log.hpp"

#include "foundation/base/text.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>

namespace torchkiln::verify {

namespace {

/// One read of /dev/kmsg gives one record, and fails where the record is longer than the buffer (the kernel's
/// CONSOLE_EXT_LOG_MAX is 8 KiB).
constexpr std::size_t k_record_bytes = 16 << 10;

/// The lines of these Xids, or of all others.
std::string lines_of(const std::vector<Xid>& xids, bool of_programs) {
  std::vector<std::string> lines;
  for (const auto& xid : xids)
    if (may_be_the_programs(xid.number) == of_programs &&
        std::find(lines.begin(), lines.end(), xid.line) == lines.end())
      lines.push_back(xid.line);
  return base::join(lines, "; ");
}

}  // namespace

std::vector<Xid> xids_in(std::string_view records) {
  std::vector<Xid> xids;
  for (const auto record : base::lines(records)) {
    const auto begin = record.find("NVRM: Xid (");
    const auto end = record.find("): ", begin);
    if (begin == std::string_view::npos || end == std::string_view::npos) continue;
    Xid xid;
    const auto number = record.substr(end + 3);
    if (std::from_chars(number.data(), number.data() + number.size(), xid.number).ec != std::errc()) continue;
    xid.line = record.substr(begin + std::string_view("NVRM: ").size());
    xids.push_back(std::move(xid));
  }
  return xids;
}

bool may_be_the_programs(int xid) {
  // Graphics engine exception, memory page fault, GPU stopped processing, preemptive cleanup (which follows another
  // error), video decoder exception, engine class error, context switch timeout, NVLink privilege error.
  constexpr std::array k_of_programs{13, 31, 43, 45, 68, 69, 109, 137};
  return std::find(k_of_programs.begin(), k_of_programs.end(), xid) != k_of_programs.end();
}

std::optional<KernelLog> KernelLog::open(const std::filesystem::path& device) {
  auto opened = sys::open_file(device, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (!opened || ::lseek(opened->get(), 0, SEEK_END) < 0) return std::nullopt;
  return KernelLog(std::move(*opened));
}

std::string KernelLog::new_records() {
  std::string records, record(k_record_bytes, '\0');
  for (;;) {
    const auto size = ::read(m_device.get(), record.data(), record.size());
    if (size > 0)
      records.append(record, 0, static_cast<std::size_t>(size));
    else if (size == 0 ||
             (errno != EINTR && errno != EPIPE))  // EPIPE: records were overwritten; the next ones follow
      return records;
  }
}

void judge_xids(std::vector<report::TestOutcome>& tests, const std::vector<Xid>& xids) {
  using report::Level;
  const auto of_host = lines_of(xids, false), of_programs = lines_of(xids, true);
  for (auto& test : tests) {
    if (test.level < Level::gpu || test.verdict != report::TestVerdict::fail) continue;
    if (!of_host.empty()) test.fault = "host";
    if (!xids.empty())
      test.reason += fmt::format("{}the host's kernel log says {}", test.reason.empty() ? "" : "; ",
                                 of_host.empty() ? of_programs : of_host);
  }
  report::TestOutcome log;
  log.id = "gpu.kernel_log";
  log.level = Level::gpu;
  log.verdict = of_host.empty() ? report::TestVerdict::pass : report::TestVerdict::fail;
  log.reason = of_host;
  log.fault = of_host.empty() ? "" : "host";
  log.measures = "errors of a GPU, its links or its driver (Xids) in the host's kernel log meanwhile";
  log.measured =
      std::count_if(xids.begin(), xids.end(), [](const Xid& x) { return !may_be_the_programs(x.number); });
  log.compare = "at most";
  log.limit = 0;
  tests.push_back(std::move(log));
}

}  // namespace torchkiln::verify
