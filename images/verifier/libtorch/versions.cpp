// Versions: what torch was compiled with, what it finds at run time, and what its own record (torch/version.py)
// says.
#include "libtorch/loaded.hpp"
#include "libtorch/tests.hpp"

#include <ATen/Version.h>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <torch/version.h>
#include <tuple>

namespace torchkiln::verifier {
namespace {

/// What stands in the text between two others; empty where the first is not there.
std::string between(const std::string& text, const std::string& before, const char* after) {
  const auto found = text.find(before);
  if (found == std::string::npos) return {};
  const auto begin = found + before.size();
  return text.substr(begin, text.find_first_of(after, begin) - begin);
}

std::string dotted(long major, long minor, long patch) {
  return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch);
}

/// 12080 is 12.8 (cuda_runtime_api.h, CUDART_VERSION).
std::string cuda_runtime() {
  int code = 0;
  const auto get = loaded<int(int*)>("cudaRuntimeGetVersion");
  if (get == nullptr || get(&code) != 0) return {};
  return std::to_string(code / 1000) + "." + std::to_string(code % 1000 / 10);
}

/// 91002 is 9.10.2, and 8902 is 8.9.2 (cudnn_version.h).
std::string cudnn_text(long code) {
  if (code >= 90000) return dotted(code / 10000, code / 100 % 100, code % 100);
  return dotted(code / 1000, code / 100 % 10, code % 100);
}

std::string cudnn_runtime() {
  const auto get = loaded<std::size_t()>("cudnnGetVersion");
  return get == nullptr ? std::string() : cudnn_text(static_cast<long>(get()));
}

/// 22703 is 2.27.3 (nccl.h, NCCL_VERSION, since 2.9).
std::string nccl_runtime() {
  int code = 0;
  const auto get = loaded<int(int*)>("ncclGetVersion");
  if (get == nullptr || get(&code) != 0) return {};
  return dotted(code / 10000, code / 100 % 100, code % 100);
}

/// The same major version, and not older than what was compiled with.
bool is_compatible(const std::string& compiled, const std::string& runtime) {
  const auto number = [](const std::string& version) {
    int major = 0, minor = 0, patch = 0;
    if (std::sscanf(version.c_str(), "%d.%d.%d", &major, &minor, &patch) != 3) return std::tuple(-1, 0, 0);
    return std::tuple(major, minor, patch);
  };
  const auto one = number(compiled), other = number(runtime);
  return std::get<0>(one) >= 0 && std::get<0>(one) == std::get<0>(other) && one <= other;
}

/// torch/version.py: __version__ = '2.8.0+cu128', git_version = '…', cuda: Optional[str] = '12.8'.
struct Record {
  std::string torch, git, cuda;
};

Record read_record(const Context& context) {
  std::ifstream file(context.site_packages + "/torch/version.py");
  std::stringstream text;
  text << file.rdbuf();
  const auto quoted = [&](const char* name) { return between(text.str(), std::string(name) + " = '", "'"); };
  return {quoted("__version__"), quoted("git_version"), quoted("\ncuda: Optional[str]")};
}

/// Which cuDNN torch was compiled with only Python can tell: cpu.python.versions compares that.
Outcome compare_versions(const Context& context) {
  const auto record = read_record(context);
  if (record.torch.empty()) return Failure{"torch/version.py cannot be read", Fault::image, {}};
  Measurement measurement;
  double differing = 0;
  const auto note = [&](const char* name, const std::string& one, const std::string& other) {
    ++differing;
    measurement.details.push_back({name, "'" + one + "' and '" + other + "'"});
  };
  const auto compare = [&](const char* name, const std::string& one, const std::string& other) {
    if (one != other || one.empty()) note(name, one, other);
  };
  const auto release = record.torch.substr(0, record.torch.find('+'));
  compare("torch: headers, version.py", TORCH_VERSION, release);
  compare("torch: library, version.py", between(at::show_config(), "TORCH_VERSION=", ", "), release);
  if (!record.cuda.empty()) {
    compare("CUDA: version.py, runtime", record.cuda, cuda_runtime());
    if (!is_compatible(nccl_compiled(), nccl_runtime()))
      note("NCCL: compiled, runtime", nccl_compiled(), nccl_runtime());
  }
  measurement.value = differing;
  return measurement;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> versions(const Context& context) {
  const auto record = read_record(context);
  std::vector<std::pair<std::string, std::string>> known;
  const auto add = [&](const char* name, const std::string& text) {
    if (!text.empty()) known.emplace_back(name, text);
  };
  add("torch", record.torch);
  add("torch_git", record.git);
  add("cuda_runtime", cuda_runtime());
  add("cudnn_runtime", cudnn_runtime());
  add("nccl", nccl_runtime());
  add("nccl_compiled", nccl_compiled());
  return known;
}

Registry version_tests() {
  return {{"cpu.versions", compare_versions}};
}

}  // namespace torchkiln::verifier
