// The loop of a test program. It reads lines of JSON from its standard input and answers each with one line on its
// standard output:
//   {"seed":1,"scratch":"…","prefix":"…","site_packages":"…","soak_s":0}   first; the answer says that the program
//   has started:
//     {"facts":{"versions":{…},"host":{…}}}
//   {"test":"cpu.random"}                                       then, as often as the supervisor likes:
//     {"test":"cpu.random","measured":1.3,"details":{…}}  or  {"test":"cpu.random","failure":"…","fault":"host"}
// At the end of its input it exits. Everything else that the process prints (libraries like to) goes to standard
// error. python/verify_python.py speaks the same lines.
#pragma once

#include "worker/outcome.hpp"

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace torchkiln::verifier {

using TestFunction = std::function<Outcome(const Context&)>;

/// From test id to function.
using Registry = std::map<std::string, TestFunction>;

/// Facts for the report: what does not hold of this machine or torch is left out.
struct Gpu {
  int index = 0;
  std::string name;
  std::string uuid_sha256;
  std::string compute_capability;
  double memory_bytes = 0;
};

struct Facts {
  std::vector<std::pair<std::string, std::string>> versions;
  std::vector<std::pair<std::string, std::string>> host;
  std::vector<Gpu> gpus;
  /// Only the program that looks for GPUs sets this; the others leave the report's list alone.
  enum class Gpus { not_looked, looked } looked_for_gpus = Gpus::not_looked;
};

/// Answers until the input ends. Exceptions of third parties become failures with their text; a name that is not in
/// the registry is a failure too. Returns the exit status: 0, or 2 when a line cannot be read.
int run_worker(const Registry& registry, const std::function<Facts(const Context&)>& gather_facts);

}  // namespace torchkiln::verifier
