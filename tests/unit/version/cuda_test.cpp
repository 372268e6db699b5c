#include "knowledge/version/cuda.hpp"

#include <catch2/catch.hpp>

using torchkiln::version::ComputeCapability;
using torchkiln::version::CudaVersion;
using torchkiln::version::DriverVersion;
using torchkiln::version::ptx_compiles_for;
using torchkiln::version::sass_runs_on;

namespace {

DriverVersion driver(std::string_view text) {
  auto result = DriverVersion::parse(text);
  INFO(text);
  REQUIRE(result);
  return *result;
}

ComputeCapability compute(std::string_view text) {
  auto result = ComputeCapability::parse(text);
  INFO(text);
  REQUIRE(result);
  return *result;
}

}  // namespace

TEST_CASE("CUDA versions are read, ordered and written") {
  CHECK(CudaVersion::parse("12.8").value() == CudaVersion{12, 8, 0});
  CHECK(CudaVersion::parse("12.8.1").value().to_string() == "12.8.1");
  CHECK(CudaVersion{12, 8, 0}.to_string() == "12.8");
  CHECK(CudaVersion{12, 10, 0} > CudaVersion{12, 9, 1});
  for (const char* text : {"12", "", "12.8.1.1", "12.x", "v12.8", "12.-8", "12..8"}) {
    INFO(text);
    CHECK_FALSE(CudaVersion::parse(text));
  }
}

TEST_CASE("PyTorch's build names are CUDA versions whose last digit is the minor number") {
  CHECK(CudaVersion::from_build_name("cu128").value() == CudaVersion{12, 8, 0});
  CHECK(CudaVersion::from_build_name("cu118").value() == CudaVersion{11, 8, 0});
  CHECK(CudaVersion::from_build_name("cu92").value() == CudaVersion{9, 2, 0});
  CHECK(CudaVersion{13, 0, 2}.build_name() == "cu130");
  for (const char* text : {"cpu", "cu", "cu1", "cu1210", "128", "cu-12", "cuda128"}) {
    INFO(text);
    CHECK_FALSE(CudaVersion::from_build_name(text));
  }
}

TEST_CASE("driver versions compare number by number and keep their leading zeros") {
  CHECK(driver("535.104.05").to_string() == "535.104.05");
  CHECK(driver("535.104.05").branch() == 535);
  CHECK(driver("535.104.05") < driver("535.104.12"));
  CHECK(driver("525.60.13") < driver("525.105.17"));
  CHECK(driver("450.80.02") > driver("450.80"));
  CHECK(driver("580") == driver("580.0.0"));
  CHECK(driver("575.57.08") < driver("580"));
  for (const char* text : {"", "535.", "v535", "R535.1", "535.1a", "1.2.3.4.5.6", "535.104.05-rc"}) {
    INFO(text);
    CHECK_FALSE(DriverVersion::parse(text));
  }
}

TEST_CASE("a driver branch is read by NVIDIA's name for it, and a CUDA version is told to be none") {
  CHECK(driver("R535") == driver("535"));
  CHECK(driver("R535").to_string() == "535");
  const auto error = DriverVersion::parse("12.4").error();
  CHECK(error.message == "\"12.4\" is not a driver version, and looks like one of CUDA");
  CHECK(error.hints.size() == 1);
}

TEST_CASE("compute capabilities are read in both spellings") {
  CHECK(compute("8.0") == ComputeCapability{8, 0});
  CHECK(compute("sm_80") == ComputeCapability{8, 0});
  CHECK(compute("SM_120") == ComputeCapability{12, 0});
  CHECK(compute("12.1").sm() == "sm_121");
  CHECK(compute("sm_103").to_string() == "10.3");
  for (const char* text : {"", "8", "sm_8", "80", "8.0.0", "sm_", "sm_1200", "compute_80", "8.10"}) {
    INFO(text);
    CHECK_FALSE(ComputeCapability::parse(text));
  }
}

TEST_CASE("an architecture-specific target is refused by name") {
  const auto result = ComputeCapability::parse("sm_90a");
  REQUIRE_FALSE(result);
  CHECK(result.error().message == "\"sm_90a\" is an architecture-specific target, not a GPU's compute capability");
  CHECK(result.error().hints == std::vector<std::string>{"write sm_90"});
  CHECK_FALSE(ComputeCapability::parse("sm_100f"));
}

TEST_CASE("machine code runs on the same major number at the same or a higher minor number") {
  const CudaVersion cuda{12, 8, 0};
  const auto runs = [&](const char* code, const char* device) {
    return sass_runs_on(compute(code), compute(device), cuda);
  };
  CHECK(runs("8.0", "8.0"));
  CHECK(runs("8.0", "8.6"));
  CHECK(runs("8.6", "8.9"));
  CHECK(runs("6.0", "6.1"));
  CHECK(runs("5.0", "5.2"));
  CHECK(runs("12.0", "12.1"));
  CHECK(runs("10.0", "10.3"));
  CHECK(runs("7.0", "7.5"));
  CHECK_FALSE(runs("8.6", "8.0"));
  CHECK_FALSE(runs("8.0", "9.0"));
  CHECK_FALSE(runs("9.0", "10.0"));
  CHECK_FALSE(runs("7.5", "7.0"));
  CHECK_FALSE(runs("10.0", "12.0"));
}

TEST_CASE("embedded GPUs run only code made for them, until CUDA 13.2 opens the Jetson boards") {
  const auto runs = [](const char* code, const char* device, CudaVersion cuda) {
    return sass_runs_on(compute(code), compute(device), cuda);
  };
  const CudaVersion before{13, 1, 0};
  const CudaVersion after{13, 2, 0};
  for (const auto& [code, device] :
       {std::pair("5.0", "5.3"), std::pair("5.2", "5.3"), std::pair("6.0", "6.2"), std::pair("6.1", "6.2")}) {
    CHECK_FALSE(runs(code, device, before));
    CHECK_FALSE(runs(code, device, after));
  }
  for (const auto& [code, device] : {std::pair("7.0", "7.2"), std::pair("8.0", "8.7"), std::pair("8.6", "8.7")}) {
    CHECK_FALSE(runs(code, device, before));
    CHECK(runs(code, device, after));
  }
  CHECK(runs("8.7", "8.7", before));
  CHECK_FALSE(runs("8.7", "8.9", before));
  CHECK_FALSE(runs("7.2", "7.5", after));
}

TEST_CASE("10.1 and 11.0 are one GPU under two names") {
  CHECK(sass_runs_on(compute("10.1"), compute("11.0"), {13, 0, 0}));
  CHECK(sass_runs_on(compute("11.0"), compute("10.1"), {13, 0, 0}));
  CHECK_FALSE(sass_runs_on(compute("10.0"), compute("10.1"), {12, 8, 0}));
}

TEST_CASE("PTX compiles for its own and every later GPU") {
  CHECK(ptx_compiles_for(compute("9.0"), compute("12.0")));
  CHECK(ptx_compiles_for(compute("12.0"), compute("12.0")));
  CHECK_FALSE(ptx_compiles_for(compute("12.0"), compute("9.0")));
}
