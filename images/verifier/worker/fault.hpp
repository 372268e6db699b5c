// Whose fault an error of CUDA's is. A GPU that has failed, that somebody else holds, or whose driver is too old
// says nothing about the image.
#pragma once

#include "worker/outcome.hpp"

#include <string>

namespace torchkiln::verifier {

/// By the texts of cudaGetErrorString() and cuGetErrorName() that only the host can cause; image for all others.
Fault fault_of(const std::string& error);

}  // namespace torchkiln::verifier
