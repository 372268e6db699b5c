// Automatic mixed precision for as long as it lives. at::autocast's functions changed in torch 2.4.
#pragma once

#include "libtorch/tests.hpp"

#include <c10/core/ScalarType.h>

namespace torchkiln::verifier {

class Autocast {
 public:
  Autocast(Device device, c10::ScalarType type);
  ~Autocast();
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  Device m_device;
  c10::ScalarType m_type;
};

}  // namespace torchkiln::verifier
