#include "boot/driver.hpp"
#include "boot/sha256.hpp"

#include <catch2/catch.hpp>

using namespace torchkiln::verifier;

namespace {

const std::string k_site_packages = "/opt/kiln/lib/python3.11/site-packages";

DriverState working() {
  DriverState state;
  state.device_nodes = {"/dev/nvidia0", "/dev/nvidiactl"};
  state.library = "/usr/lib/x86_64-linux-gnu/libcuda.so.1";
  state.init_code = 0;
  state.cuda_version = "12.8";
  state.gpus.resize(1);
  return state;
}

}  // namespace

TEST_CASE("SHA-256 of FIPS 180-4's examples, and around the length of a block") {
  CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(sha256_hex(std::string(1000000, 'a')) ==
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("the driver's version is found in both kinds of kernel module's words") {
  CHECK(driver_version_in(
            "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023") ==
        "535.104.05");
  CHECK(driver_version_in("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.15  Release Build") ==
        "570.86.15");
  CHECK(driver_version_in("470.82") == "470.82");
  CHECK(driver_version_in("GCC version:  gcc version 12.2.0 (Debian 12.2.0-14)").empty());
  CHECK(driver_version_in("").empty());
}

TEST_CASE("no GPU at all is no contradiction, and is said plainly") {
  const DriverState none;
  CHECK_FALSE(contradiction_in(none, k_site_packages).has_value());
  CHECK(describe(none).rfind("libcuda.so.1 is absent: no GPU can be used here", 0) == 0);
  CHECK_FALSE(contradiction_in(working(), k_site_packages).has_value());
}

TEST_CASE("a library without devices is no contradiction: forward compatibility packages bring one") {
  auto state = working();
  state.device_nodes.clear();
  state.init_code = 100;
  CHECK_FALSE(contradiction_in(state, k_site_packages).has_value());
}

TEST_CASE("a device without the driver's library, or one that does not start, is the host's fault") {
  auto state = working();
  state.library.clear();
  state.library_error = "no such file";
  auto found = contradiction_in(state, k_site_packages);
  REQUIRE(found.has_value());
  CHECK(found->fault == Fault::host);
  CHECK(found->reason.find("without the driver capability 'compute'") != std::string::npos);

  state = working();
  state.init_code = 803;
  state.init_error = "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH (803)";
  found = contradiction_in(state, k_site_packages);
  REQUIRE(found.has_value());
  CHECK(found->reason == "/dev/nvidia0 is there but cuInit fails with CUDA_ERROR_SYSTEM_DRIVER_MISMATCH (803)");
}

TEST_CASE("a libcuda among the image's wheels is the image's fault") {
  auto state = working();
  state.library = k_site_packages + "/nvidia/cuda_runtime/lib/libcuda.so.1";
  const auto found = contradiction_in(state, k_site_packages);
  REQUIRE(found.has_value());
  CHECK(found->fault == Fault::image);
}
