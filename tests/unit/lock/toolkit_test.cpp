#include "plan/lock/toolkit.hpp"

#include "support/fault_server.hpp"
#include "unit/lock/variables.hpp"

#include <catch2/catch.hpp>

using namespace torchkiln::lock;
using torchkiln::base::ErrorCode;
using torchkiln::lock::test::Variables;
using torchkiln::spec::Part;
using torchkiln::spec::Variant;
using torchkiln::sys::HttpClient;
using torchkiln::test::error_of;
using torchkiln::test::FaultServer;
using torchkiln::test::must;
using Texts = std::vector<std::string>;

namespace {

std::string component(const std::string& name, const std::string& version, const std::string& platform) {
  return "\"" + name + "\": {\"version\": \"" + version + "\", \"" + platform + "\": {\"relative_path\": \"" +
         name + "/" + platform + "/" + name + ".tar.xz\", \"sha256\": \"" + std::string(64, 'a') +
         "\", \"size\": \"10\"}}";
}

/// A server with NVIDIA's folder.
struct Redist {
  FaultServer server;
  HttpClient http;
  ToolkitRequest request{
      must(torchkiln::version::CudaVersion::parse("12.8")), "x86_64", {"cuda_nvcc", "cuda_cccl"}, {}};

  Redist(const Texts& releases, const std::string& components) {
    std::string page;
    for (const auto& release : releases) {
      page += "<a href=\"redistrib_" + release + ".json\">redistrib_" + release + ".json</a>\n";
      server.serve("simple/redist/redistrib_" + release + ".json/index.html",
                   "{\"release_label\": \"" + release + "\", " + components + "}");
    }
    server.serve("simple/redist/index.html", "<html><body>" + page + "</body></html>");
    request.folders = {server.address() + "/simple/redist"};
  }
};

}  // namespace

TEST_CASE("the newest release of the build's CUDA is taken, and of its components those that it has") {
  Redist t({"12.6.3", "12.8.0", "12.8.1", "12.9.0"}, component("cuda_nvcc", "12.8.93", "linux-x86_64"));
  const auto archives = must(pin_toolkit(t.request, t.http));
  REQUIRE(archives.size() == 1);
  CHECK(archives[0].name == "cuda_nvcc");
  CHECK(archives[0].version == "12.8.93");
  CHECK(archives[0].url == t.server.address() + "/simple/redist/cuda_nvcc/linux-x86_64/cuda_nvcc.tar.xz");
  CHECK(archives[0].digest.hex() == std::string(64, 'a'));
  CHECK(archives[0].size_bytes == 10);
  CHECK((archives[0].parts == Variant{Part::devel}));
  CHECK(t.server.requests().back().file == "simple/redist/redistrib_12.8.1.json");
}

TEST_CASE("a folder without a release of this CUDA, or without a compiler for the platform, is refused") {
  Redist other({"12.6.3"}, component("cuda_nvcc", "12.6.85", "linux-x86_64"));
  CHECK(error_of(pin_toolkit(other.request, other.http)).message ==
        "the folders given with --redist have no redistrib_*.json of CUDA 12.8");
  Redist arm({"12.8.1"}, component("cuda_nvcc", "12.8.93", "linux-sbsa"));
  const auto error = error_of(pin_toolkit(arm.request, arm.http));
  CHECK(error.code == ErrorCode::package_conflict);
  CHECK_THAT(error.message, Catch::Matchers::EndsWith("redistrib_12.8.1.json has no cuda_nvcc for linux-x86_64"));
  arm.request.architecture = "aarch64";
  CHECK(must(pin_toolkit(arm.request, arm.http)).size() == 1);
}

TEST_CASE("nobody says where NVIDIA's archives are: that is said, with the option and the variable") {
  Variables variables;
  variables.set(k_redist_variable, std::nullopt);
  CHECK(redist_folders({}).empty());
  HttpClient http;
  const auto error = error_of(
      pin_toolkit({must(torchkiln::version::CudaVersion::parse("12.8")), "x86_64", {"cuda_nvcc"}, {}}, http));
  CHECK(error.code == ErrorCode::usage);
  CHECK(error.hints == Texts{"name the folder of redistrib_*.json: --redist https://redist.example/cuda/redist, or "
                             "TORCHKILN_REDIST"});
  variables.set(k_redist_variable, "https://a.example/cuda  https://b.example/cuda");
  CHECK(redist_folders({}) == Texts{"https://a.example/cuda", "https://b.example/cuda"});
  CHECK(redist_folders({"https://c.example"}) == Texts{"https://c.example"});
}
