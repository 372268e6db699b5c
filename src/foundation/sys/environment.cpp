#include "foundation/sys/environment.hpp"

#include "foundation/base/text.hpp"

#include <chrono>
#include <cstdlib>
#include <pwd.h>
#include <thread>
#include <unistd.h>

namespace torchkiln::sys {

std::optional<std::string> environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (!value || !*value) return std::nullopt;
  return std::string(value);
}

std::int64_t now_s() {
  using namespace std::chrono;
  return duration_cast<seconds>(system_clock::now().time_since_epoch()).count();
}

base::Result<std::optional<std::int64_t>> source_date_epoch() {
  const auto text = environment("SOURCE_DATE_EPOCH");
  if (!text) return std::optional<std::int64_t>();
  const auto value = base::parse_integer(*text);
  if (!value || *value < 0)
    return base::fail(base::ErrorCode::usage, "SOURCE_DATE_EPOCH is '" + *text + "', not a number of seconds",
                      {"unset it, or set it to seconds since 1970, for example SOURCE_DATE_EPOCH=$(date +%s)"});
  return value;
}

double monotonic_s() {
  using namespace std::chrono;
  return duration<double>(steady_clock::now().time_since_epoch()).count();
}

unsigned processor_count() {
  return std::max(1U, std::thread::hardware_concurrency());
}
bool is_root() {
  return geteuid() == 0;
}

std::filesystem::path home_directory() {
  if (auto home = environment("HOME")) return *home;
  if (const passwd* entry = getpwuid(getuid())) return entry->pw_dir;
  return "/";
}

std::filesystem::path executable_path() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error);
}

std::optional<std::filesystem::path> find_program(const std::string& program) {
  std::string path = environment("PATH").value_or("/usr/local/bin:/usr/bin:/bin");
  path += ":/usr/sbin:/sbin";
  for (const auto directory : base::split(path, ':')) {
    auto candidate = std::filesystem::path(directory.empty() ? "." : directory) / program;
    std::error_code error;
    if (std::filesystem::is_regular_file(candidate, error) && access(candidate.c_str(), X_OK) == 0)
      return candidate;
  }
  return std::nullopt;
}

}  // namespace torchkiln::sys
