#include "knowledge/upstream/redistribution.hpp"

#include "support/must.hpp"

#include <catch2/catch.hpp>

using namespace torchkiln::upstream;
using torchkiln::test::error_of;
using torchkiln::test::must;

TEST_CASE("NVIDIA's list of a CUDA release names every component with its version and platforms") {
  const auto list = must(parse_redistribution(
      R"({"release_date":"2025-03-05","release_label":"12.8.1","release_product":"cuda",
          "cuda_cudart":{"name":"CUDA Runtime","license":"CUDA Toolkit","version":"12.8.90",
            "linux-x86_64":{"relative_path":"a","sha256":"b","size":"1"},"linux-sbsa":{}},
          "nvidia_driver":{"name":"NVIDIA Linux Driver","version":"570.124.06","linux-x86_64":{}}})",
      "redistrib_12.8.1.json", "12.8.1"));
  CHECK(list.product == "cuda");
  CHECK(list.date == "2025-03-05");
  REQUIRE(list.find("nvidia_driver"));
  CHECK(list.find("nvidia_driver")->version == "570.124.06");
  CHECK(list.find("cuda_cudart")->is_for("linux-sbsa"));
  CHECK(list.find("cuda_cudart")->variants.empty());
}

TEST_CASE(
    "cuDNN's list names the CUDA major versions it is made for, and an older one its product by its components") {
  const auto list = must(parse_redistribution(
      R"({"release_date":"2025-05-22","cudnn":{"name":"cuDNN","version":"9.10.2.21","cuda_variant":["11","12"],
          "linux-x86_64":{"cuda11":{"size":"1"},"cuda12":{"size":"2"}},"linux-sbsa":{"cuda12":{}}}})",
      "redistrib_9.10.2.json", "9.10.2"));
  CHECK(list.product == "cudnn");
  CHECK(list.release == "9.10.2");
  CHECK(list.find("cudnn")->variants == std::vector<std::string>{"cuda11", "cuda12"});
}

TEST_CASE("a list that is none, or of another release than its name says, is refused") {
  REQUIRE(error_of(parse_redistribution("[]", "f.json", "1.0")).where);
  CHECK(error_of(parse_redistribution("{}", "f.json", "1.0")).message.find("has no component") !=
        std::string::npos);
  CHECK(error_of(parse_redistribution(R"({"release_label":"12.9.0","a":{"version":"1"}})", "f.json", "12.8.0"))
            .message.find("is of release 12.9.0, and its name says 12.8.0") != std::string::npos);
  CHECK(error_of(parse_redistribution(R"({"a":{"name":"x"}})", "f.json", "1.0")).message.find("version") !=
        std::string::npos);
}

TEST_CASE("a list is told by its name") {
  std::string release;
  CHECK(is_redistribution_name("redistrib_12.8.1.json", release));
  CHECK(release == "12.8.1");
  CHECK_FALSE(is_redistribution_name("redistrib_.json", release));
  CHECK_FALSE(is_redistribution_name("redistrib_v1_rc.json", release));
  CHECK_FALSE(is_redistribution_name("12.8.1.json", release));
}

TEST_CASE("a component's archive has a place below the folder, a SHA-256 and a size") {
  const std::string digest(64, 'a');
  const auto list = [&](const std::string& path, const std::string& sha256) {
    return parse_redistribution(R"({"cuda_nvcc":{"version":"12.8.93","linux-x86_64":{"relative_path":")" + path +
                                    R"(","sha256":")" + sha256 + R"(","size":"84"}}})",
                                "redistrib_12.8.1.json", "12.8.1");
  };
  const auto nvcc = *must(list("cuda_nvcc/linux-x86_64/nvcc.tar.xz", digest)).find("cuda_nvcc");
  const auto* archive = nvcc.archive_for("linux-x86_64");
  REQUIRE(archive);
  CHECK(archive->path == "cuda_nvcc/linux-x86_64/nvcc.tar.xz");
  CHECK(archive->digest.hex() == digest);
  CHECK(archive->size_bytes == 84);
  CHECK(nvcc.archive_for("linux-sbsa") == nullptr);
  CHECK(must(list("nvcc.tar.xz", "b")).find("cuda_nvcc")->archives.empty());
  CHECK(error_of(list("../nvcc.tar.xz", digest)).message.find("leaves the folder") != std::string::npos);
}
