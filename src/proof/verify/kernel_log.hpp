#pragma once
// The host's kernel log while an image is tested. NVIDIA's driver writes a line there for every error of a GPU, its
// "Xid"; a container sees none of it, so that an error of the hardware may look like one of the image inside.

#include "foundation/sys/files.hpp"
#include "proof/report/test_run.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::verify {

/// "NVRM: Xid (PCI:0000:07:00): 79, pid=1234, GPU has fallen off the bus."
struct Xid {
  int number = 0;
  std::string line;  ///< from "Xid" to its end
};

/// The Xids among records of /dev/kmsg (the kernel's Documentation/ABI/testing/dev-kmsg), one a line, in their
/// order.
std::vector<Xid> xids_in(std::string_view records);

/// Whether a program can bring it about alone: an address that is not mapped, a kernel that traps. All others are
/// errors of the GPU, its memory, its links or its driver. Source: NVIDIA's catalog of Xids, "application" among
/// the causes.
bool may_be_the_programs(int xid);

/// The kernel log from a moment on.
class KernelLog {
 public:
  /// From now on. Nothing where this user may not read it, as ordinary users of Debian.
  static std::optional<KernelLog> open(const std::filesystem::path& device = "/dev/kmsg");
  /// The records since it was opened, or since the last call.
  std::string new_records();

 private:
  explicit KernelLog(sys::FileDescriptor device) : m_device(std::move(device)) {}
  sys::FileDescriptor m_device;
};

/// Adds "gpu.kernel_log", which fails where a GPU had an error that no program brings about, and lays the failures
/// of level gpu and above on the host then. Errors that a program can bring about are told beside those failures.
void judge_xids(std::vector<report::TestOutcome>& tests, const std::vector<Xid>& xids);

}  // namespace torchkiln::verify
