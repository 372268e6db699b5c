#include "knowledge/matrix/query.hpp"

#include "knowledge/matrix/load.hpp"
#include "knowledge/matrix/requirement.hpp"

#include <catch2/catch.hpp>

using namespace torchkiln;

namespace {

const matrix::Matrix& real_matrix() {
  static const matrix::Matrix k_matrix = std::move(matrix::load(TK_SOURCE_DIR "/manifests").value());
  return k_matrix;
}

/// "A100 8.0", or "none".
std::string found(std::string_view text) {
  const auto gpu = matrix::find_gpu(real_matrix(), text);
  return gpu ? gpu->name + " " + gpu->compute.to_string() : "none";
}

}  // namespace

TEST_CASE("a GPU is found by the names that users and drivers give it") {
  CHECK(found("A100") == "A100 8.0");
  CHECK(found("NVIDIA A100-SXM4-80GB") == "A100 8.0");
  CHECK(found("Tesla V100-PCIE-16GB") == "V100 7.0");
  CHECK(found("NVIDIA H100 80GB HBM3") == "H100 9.0");
  CHECK(found("nvidia geforce rtx 4090") == "GeForce RTX 4090 8.9");
  CHECK(found("RTX4090") == "GeForce RTX 4090 8.9");
  CHECK(found("RTX-2080Ti") == "GeForce RTX 2080 Ti 7.5");
  CHECK(found("NVIDIA GeForce RTX 4070 Ti SUPER") == "GeForce RTX 4070 Ti 8.9");
  CHECK(found("NVIDIA GeForce RTX 4090 Laptop GPU") == "GeForce RTX 4090 8.9");
  CHECK(found("P4000") == "Quadro P4000 6.1");
  CHECK(found("P4") == "P4 6.1");
  CHECK(found("A10G") == "A10G 8.6");
  CHECK(found("A10") == "A10 8.6");
  CHECK(found("NVIDIA RTX PRO 6000 Blackwell Server Edition") == "RTX PRO 6000 Blackwell Server Edition 12.0");
  CHECK(found("rtx 3090ti") == "GeForce RTX 3090 8.6");
  CHECK(found("rtx 4070 Ti SUPER") == "GeForce RTX 4070 Ti 8.9");
  CHECK(found("NVIDIA GeForce GTX 1660SUPER") == "GeForce GTX 1660 7.5");
  CHECK(found("Quadro T1000") == "T1000 7.5");
  CHECK(found("3090") == "GeForce RTX 3090 8.6");
  CHECK(found("1080 ti") == "GeForce GTX 1080 Ti 6.1");
  CHECK(found("1080Ti") == "GeForce GTX 1080 Ti 6.1");
  CHECK(found("sm_90") == "sm_90 9.0");
  CHECK(found("8.6") == "sm_86 8.6");
}

TEST_CASE("cards of different generations with nearly one name are told apart or asked about") {
  CHECK(found("Quadro RTX 6000") == "Quadro RTX 6000 7.5");
  CHECK(found("RTX A6000") == "RTX A6000 8.6");
  CHECK(found("NVIDIA RTX 6000 Ada Generation") == "RTX 6000 Ada 8.9");
  CHECK(found("RTX 6000") == "none");
  for (const char* ambiguous : {"4000", "5000", "6000", "100", "4"}) CHECK(found(ambiguous) == "none");
  CHECK(found("GeForce GTX TITAN X") == "GeForce GTX TITAN X 5.2");
  CHECK(found("NVIDIA TITAN X (Pascal)") == "TITAN X (Pascal) 6.1");
  CHECK(found("TITAN X") == "none");
  CHECK(found("") == "none");
  CHECK(found("NVIDIA") == "none");
}

TEST_CASE("a name that is nearly known is guessed") {
  CHECK(matrix::nearest_gpu(real_matrix(), "A101") == "A100");
  CHECK(matrix::nearest_gpu(real_matrix(), "RTX 6000") == "RTX A6000");
  CHECK_FALSE(matrix::nearest_gpu(real_matrix(), "Radeon Instinct MI300"));
}

TEST_CASE("a toolkit is found by its minor release") {
  CHECK(matrix::find_toolkit(real_matrix(), {12, 8, 1})->driver.to_string() == "570.26");
  CHECK(matrix::find_toolkit(real_matrix(), {12, 7, 0}) == nullptr);
  CHECK(matrix::find_family(real_matrix(), 12)->driver.to_string() == "525.60.13");
  CHECK(matrix::find_branch(real_matrix(), 580)->kind == matrix::BranchKind::long_term);
}

TEST_CASE("a wheel's requirement is read with extras and the python_version marker") {
  const auto plain = matrix::parse_requirement("cuda-toolkit[cublas,nvrtc]==13.0.3").value();
  CHECK(plain.name == "cuda-toolkit");
  CHECK(plain.extras == std::vector<std::string>{"cublas", "nvrtc"});
  CHECK(plain.versions.lone_equal()->to_string() == "13.0.3");
  CHECK(plain.holds_on("3.99"));
  const auto marked = matrix::parse_requirement("triton==2.2.0; python_version < \"3.12\"").value();
  CHECK(marked.holds_on("3.11"));
  CHECK_FALSE(marked.holds_on("3.12"));
  CHECK_FALSE(marked.holds_on("3.13t"));
  for (const char* text : {"", "==1.0", "x[a==1", "x==1; extra == \"y\"", "x==1; python_version", "x=1"}) {
    INFO(text);
    CHECK_FALSE(matrix::parse_requirement(text));
  }
}

TEST_CASE("a base image tag that vanished is found, whatever registry it is asked of") {
  const auto& matrix = real_matrix();
  const auto instead = [&](std::string_view reference) {
    const auto* row = find_tombstone(matrix, reference);
    return row ? row->instead : "still there, as far as is known";
  };
  CHECK(instead("nvidia/cuda:12.4.0-cudnn8-devel-ubuntu22.04") == "nvidia/cuda:12.4.1-cudnn-devel-ubuntu22.04");
  CHECK(instead("registry.example:5000/nvidia/cuda:11.0-base") == "nvidia/cuda:11.0.3-base");
  CHECK(instead("nvidia/cuda:10.2-devel-ubuntu18.04").starts_with("nvidia/cuda with CUDA 11.8"));
  CHECK(find_tombstone(matrix, "nvidia/cuda"));  // no tag is the tag latest
  CHECK_FALSE(find_tombstone(matrix, "nvidia/cuda:12.8.1-cudnn-devel-ubuntu22.04"));
  CHECK_FALSE(find_tombstone(matrix, "library/debian:10.2"));
  CHECK_FALSE(find_tombstone(matrix, "other-nvidia/cuda:latest"));
}
