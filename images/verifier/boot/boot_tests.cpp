#include "boot/boot_tests.hpp"

#include "boot/driver.hpp"
#include "worker/worker.hpp"

#include <bitset>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace torchkiln::verifier {
namespace {

Outcome user(const Context&) {
  return Measurement{static_cast<double>(getuid()), {}, {}};
}

/// proc(5): CapEff in /proc/self/status is a 64-bit mask in hexadecimal.
Outcome privileges(const Context&) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("CapEff:", 0) != 0) continue;
    const auto mask = std::strtoull(line.c_str() + 7, nullptr, 16);
    return Measurement{static_cast<double>(std::bitset<64>(mask).count()), {{"mask", line.substr(8)}}, {}};
  }
  return Failure{"/proc/self/status names no capabilities", Fault::image, {}};
}

Outcome init(const Context&) {
  std::ifstream file("/proc/1/comm");
  std::string name;
  if (!std::getline(file, name)) return Failure{"/proc/1/comm cannot be read", Fault::host, {}};
  return Measurement{name, {}, {}};
}

/// A child whose own child outlives it by a moment: that orphan is process 1's to reap.
Outcome reaping(const Context&) {
  int pipe_ends[2];
  if (pipe(pipe_ends) != 0) return Failure{"no pipe", Fault::host, {}};
  const pid_t parent = fork();
  if (parent < 0) return Failure{"no process", Fault::host, {}};
  if (parent == 0) {
    const pid_t orphan = fork();
    if (orphan == 0) {
      usleep(20'000);
      _exit(0);
    }
    const bool told = write(pipe_ends[1], &orphan, sizeof orphan) == sizeof orphan;
    _exit(told && orphan > 0 ? 0 : 1);
  }
  close(pipe_ends[1]);
  pid_t orphan = -1;
  const bool known = read(pipe_ends[0], &orphan, sizeof orphan) == sizeof orphan && orphan > 0;
  close(pipe_ends[0]);
  waitpid(parent, nullptr, 0);
  if (!known) return Failure{"no orphan could be made", Fault::host, {}};

  constexpr auto k_limit = std::chrono::seconds(3);
  const auto deadline = std::chrono::steady_clock::now() + k_limit;
  const std::string place = "/proc/" + std::to_string(orphan);
  while (access(place.c_str(), F_OK) == 0) {
    if (std::chrono::steady_clock::now() > deadline) return Measurement{1.0, {}, {}};
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return Measurement{0.0, {}, {}};
}

bool takes_a_file(const std::string& folder) {
  std::string path = folder + "/torchkiln-verify-XXXXXX";
  const int descriptor = mkstemp(path.data());
  if (descriptor < 0) return false;
  const bool written = write(descriptor, "kiln", 4) == 4;
  close(descriptor);
  unlink(path.c_str());
  return written;
}

Outcome writable(const Context&) {
  Measurement measurement;
  double count = 0;
  for (const char* name : {"HOME", "TMPDIR", "/tmp"}) {
    const char* folder = *name == '/' ? name : std::getenv(name);
    if (folder == nullptr || *folder == '\0') {
      measurement.details.push_back({name, "not set"});
      continue;
    }
    const bool taken = takes_a_file(folder);
    count += taken ? 1 : 0;
    measurement.details.push_back({name, std::string(folder) + (taken ? ": writable" : ": not writable")});
  }
  measurement.value = count;
  return measurement;
}

Outcome driver(const Context& context) {
  const auto state = read_driver();
  if (auto contradiction = contradiction_in(state, context.site_packages)) {
    contradiction->details = {{"state", describe(state)}};
    return *contradiction;
  }
  return Measurement{0.0, {{"state", describe(state)}}, {}};
}

Facts facts(const Context&) {
  Facts facts;
  utsname system{};
  if (uname(&system) == 0) {
    facts.host.emplace_back("kernel", system.release);
    facts.host.emplace_back("machine", system.machine);
  }
  auto state = read_driver();
  if (!state.driver_version.empty()) facts.host.emplace_back("driver", state.driver_version);
  if (!state.cuda_version.empty()) facts.versions.emplace_back("cuda_driver", state.cuda_version);
  facts.looked_for_gpus = Facts::Gpus::looked;
  facts.gpus = std::move(state.gpus);
  return facts;
}

}  // namespace

int run_boot_tests() {
  return run_worker({{"boot.user", user},
                     {"boot.privileges", privileges},
                     {"boot.init", init},
                     {"boot.reaping", reaping},
                     {"boot.writable", writable},
                     {"boot.driver", driver}},
                    facts);
}

}  // namespace torchkiln::verifier
