// Functions of CUDA's libraries, found among those that torch has loaded. Their headers are not to be had: the
// nvidia-cuda-runtime wheel leaves out crt/host_defines.h, without which cuda_runtime_api.h does not compile, and
// with it no header of torch's that includes it. The C names and values declared where they are used are the
// libraries' ABI.
#pragma once

#include <dlfcn.h>
#include <stdexcept>
#include <string>

namespace torchkiln::verifier {

/// Null where no loaded library has it.
template <typename Function>
Function* loaded(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_DEFAULT, name));
}

template <typename Function>
Function* required(const char* name) {
  if (auto* function = loaded<Function>(name)) return function;
  throw std::runtime_error(std::string("no loaded library has ") + name);
}

/// For functions that return a status, 0 being success.
template <typename... Arguments>
void call(const char* name, Arguments... arguments) {
  const int status = required<int(Arguments...)>(name)(arguments...);
  if (status != 0) throw std::runtime_error(std::string(name) + " fails with " + std::to_string(status));
}

}  // namespace torchkiln::verifier
