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
