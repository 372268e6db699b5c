#include "knowledge/upstream/survey.hpp"

#include "knowledge/matrix/load.hpp"
#include "support/fault_server.hpp"
#include "support/zip_builder.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace torchkiln::upstream;
using torchkiln::base::Digest;
using torchkiln::base::ErrorCode;
using torchkiln::test::error_of;
using torchkiln::test::FaultServer;
using torchkiln::test::must;
using torchkiln::test::WheelBuilder;
using namespace std::string_literals;
namespace base = torchkiln::base;
namespace matrix = torchkiln::matrix;
namespace sys = torchkiln::sys;

namespace {

sys::HttpLimits quick() {
  sys::HttpLimits limits;
  limits.attempts = 1;
  return limits;
}

/// An index with what a survey asks for. A page is written anew whenever a file joins it.
struct Upstream {
  FaultServer server;
  struct File {
    std::string name, attributes;
  };
  std::map<std::string, std::vector<File>> pages;  ///< folder below simple/ → files
  std::string plan;                                ///< of the files' answers

  explicit Upstream(const std::vector<std::string>& projects = {"torch", "torchvision", "torchaudio", "torchtext",
                                                                "nvidia-nccl-cu12"}) {
    for (const auto& project : projects) write(project);
  }
  void write(const std::string& folder) {
    std::string page = "<!DOCTYPE html><html><body>\n";
    for (const auto& file : pages[folder])
      page += "<a href=\"" + server.address() + "/" + (plan.empty() ? "" : plan + "/") +
              base::replace_all(file.name, "+", "%2B") + "\" " + file.attributes + ">" + file.name + "</a>\n";
    server.serve("simple/" + folder + "/index.html", page + "</body></html>\n");
  }
  void list(const std::string& folder, const std::string& file, const std::string& attributes) {
    pages[folder].push_back({file, attributes});
    write(folder);
  }
  void add(const std::string& folder, const WheelBuilder& wheel, const std::string& attributes = "") {
    server.serve(wheel.file_name(), wheel.bytes());
    list(folder, wheel.file_name(), attributes);
  }
  std::string index() const { return server.address() + "/simple"; }
};

std::string core_metadata(const std::string& name, const std::string& version, const std::string& more) {
  return "Metadata-Version: 2.1\nName: " + name + "\nVersion: " + version + "\n" + more;
}

/// A torch wheel as small as one can be.
WheelBuilder torch(const std::string& version, const std::string& python, const std::string& local = "cu128",
                   const std::string& platform = "manylinux_2_28_x86_64") {
  WheelBuilder wheel;
  wheel.name = "torch";
  wheel.version = version;
  wheel.tags = python + "-" + python + "-" + platform;
  const auto release = version.substr(0, version.find('+'));
  wheel.files["torch/version.py"] = {
      "__version__ = '" + release + "+" + local + "'\ncuda: Optional[str] = " +
      (local == "cpu" ? "None" : "'" + local.substr(2, 2) + "." + local.substr(4) + "'") + "\n"};
  wheel.files["torch/lib/libtorch_python.so"] = {
      "\0GLIBC_2.17\0_ZN3c103fooENSt7__cxx1112basic_stringIcEE\0sm_75 sm_80 sm_120\0"s};
  wheel.files[wheel.dist_info() + "/METADATA"] = {core_metadata(
      "torch", version,
      "Requires-Dist: filelock\nRequires-Dist: nvidia-nccl-cu12==2.27.3; platform_system == \"Linux\"\n"
      "Requires-Dist: triton==3.4.0; platform_system == \"Linux\" and python_version < \"3.14\"\n")};
  return wheel;
}

constexpr const char* k_day = "data-upload-time=\"2025-08-06T14:53:00Z\"";

matrix::Matrix small_matrix() {
  const std::string from = "source = \"wheel\"\ngrade = \"measured\"\ndate = 2026-01-01\n";
  return must(
      matrix::read({{"all.toml",
                     "schema = \"torchkiln.matrix/1\"\n[[source]]\nid = \"wheel\"\ntitle = \"w\"\n"
                     "[[release]]\npytorch = \"2.7.0\"\nreleased = 2025-04-23\n" +
                         from +
                         "[[build]]\npytorch = [\"2.7.0\"]\nvariant = \"cu126\"\narchitecture = \"x86_64\"\n"
                         "index = \"default\"\nstatus = \"stable\"\ncuda = \"12.6\"\npython = [\"3.11\"]\n"
                         "glibc = \"2.28\"\n" +
                         from +
                         "[[companion]]\npackage = \"torchvision\"\nrelease = \"0.22.0\"\npytorch = [\"2.7.0\"]\n"
                         "python = [\"3.11\"]\n" +
                         from + "[[toolkit]]\ncuda = \"12.8\"\ndriver = \"570.26\"\n" + from}},
                   "manifests"));
}

/// The index as the small matrix knows it.
void serve_known(Upstream& upstream) {
  upstream.list("torch", "torch-2.7.0-cp311-cp311-manylinux_2_28_x86_64.whl",
                "data-upload-time=\"2025-04-23T14:00:00Z\"");
  upstream.list("torchvision", "torchvision-0.22.0-cp311-cp311-manylinux_2_28_x86_64.whl",
                "data-upload-time=\"2025-04-23T14:00:00Z\"");
}

base::Result<Survey> survey(const Upstream& upstream, SurveyRequest request = {}) {
  if (request.index.empty()) request.index = upstream.index();
  request.date = "2026-02-02";
  sys::HttpClient http(quick());
  base::SilentProgress progress;
  return take_survey(request, small_matrix(), http, progress);
}

std::string value(const Survey& survey, const std::string& identity, const std::string& key) {
  for (const auto& row : survey.rows)
    if (row.identity == identity) return row.find(key) ? row.find(key)->value : "absent";
  return "no such row";
}

std::vector<std::string> changes(const Survey& survey) {
  std::vector<std::string> texts;
  for (const auto& change : compare(known_rows(small_matrix()), survey))
    texts.push_back(std::string(name(change.kind)) + " " + change.row.identity);
  return texts;
}

}  // namespace

TEST_CASE("an index that has what the matrix knows is asked for lists alone") {
  Upstream upstream;
  serve_known(upstream);
  CHECK(changes(must(survey(upstream))).empty());
  for (const auto& request : upstream.server.requests()) CHECK(request.range.empty());
}

TEST_CASE("a new release is read by ranges: one wheel of each machine, some members of it") {
  Upstream upstream;
  serve_known(upstream);
  for (const char* python : {"cp39", "cp310", "cp313"}) upstream.add("torch", torch("2.8.0", python), k_day);
  upstream.list("torch", "torch-2.8.0-cp313-cp313t-manylinux_2_28_x86_64.whl", k_day);
  upstream.list("torch", "torch-2.8.0-cp311-cp311-win_amd64.whl", k_day);
  upstream.list("torch", "torch-2.9.0rc1-cp311-cp311-manylinux_2_28_x86_64.whl", k_day);
  upstream.list("torch", "torch-2.6.0-cp311-cp311-manylinux1_x86_64.whl", k_day);
  const auto found = must(survey(upstream));
  CHECK(changes(found) == std::vector<std::string>{"added release 2.8.0", "added build 2.8.0 default x86_64"});
  const std::string build = "build 2.8.0 default x86_64";
  CHECK(value(found, "release 2.8.0", "released") == "2025-08-06");
  CHECK(value(found, build, "variant") == "\"cu128\"");
  CHECK(value(found, build, "python") == R"(["3.9", "3.10", "3.13", "3.13t"])");
  CHECK(value(found, build, "glibc") == "\"2.28\"");
  CHECK(value(found, build, "nccl") == "\"2.27.3\"");
  CHECK(value(found, build, "cxx11_abi") == "true");
  CHECK(value(found, build, "sass") == R"(["7.5", "8.0", "12.0"])");
  CHECK(value(found, build, "wheel_bytes") == std::to_string(torch("2.8.0", "cp310").bytes().size()));
  CHECK(value(found, build, "requirements") ==
        "[\n  \"nvidia-nccl-cu12==2.27.3\",\n  'triton==3.4.0; python_version < \"3.14\"',\n]");
  for (const auto& request : upstream.server.requests())
    if (request.file.ends_with(".whl")) {
      CHECK(request.file == "torch-2.8.0-cp310-cp310-manylinux_2_28_x86_64.whl");
      CHECK_FALSE(request.range.empty());
    }
}

TEST_CASE(
    "of several builds of one wheel the newest is read, as installers take it: torch 2.10.0 has builds 0 and 3") {
  Upstream upstream;
  serve_known(upstream);
  for (const char* build : {"", "-3", "-10"}) {
    auto wheel = torch("2.8.0", "cp310");
    wheel.files["extra.txt"] = {std::string(build)};
    upstream.server.serve(base::replace_all(wheel.file_name(), "-cp310-cp310", std::string(build) + "-cp310-cp310"),
                          wheel.bytes());
    upstream.list("torch",
                  base::replace_all(wheel.file_name(), "-cp310-cp310", std::string(build) + "-cp310-cp310"), k_day);
  }
  must(survey(upstream));
  for (const auto& request : upstream.server.requests())
    if (request.file.ends_with(".whl"))
      CHECK(request.file == "torch-2.8.0-10-cp310-cp310-manylinux_2_28_x86_64.whl");
}

TEST_CASE("requirements are found however METADATA spaces them, as PyTorch before 2.7 did") {
  Upstream upstream;
  serve_known(upstream);
  auto wheel = torch("2.8.0", "cp310");
  wheel.files[wheel.dist_info() + "/METADATA"] = {
      core_metadata("torch", "2.8.0",
                    "Requires-Dist: triton (==3.2.0) ; platform_system == \"Linux\"\n"
                    "Requires-Dist: nvidia-nccl-cu12 ==2.21.5 ; platform_system == \"Linux\"\n")};
  upstream.add("torch", wheel, k_day);
  CHECK(value(must(survey(upstream)), "build 2.8.0 default x86_64", "requirements") ==
        "[\n  \"nvidia-nccl-cu12==2.21.5\",\n  \"triton==3.2.0\",\n]");
}

TEST_CASE("a server that ignores ranges is refused by name, and no wheel is downloaded") {
  Upstream upstream;
  upstream.plan = "stubborn";
  upstream.server.url("x", "stubborn", R"([{"ignore_range": true, "forever": true}])");
  serve_known(upstream);
  upstream.add("torch", torch("2.8.0", "cp310"), k_day);
  const auto error = error_of(survey(upstream));
  CHECK(error.code == ErrorCode::network_failed);
  CHECK(error.message ==
        "the server of " + upstream.server.address() +
            "/stubborn/torch-2.8.0-cp310-cp310-manylinux_2_28_x86_64.whl sends whole files only, and "
            "the wheel would have to be downloaded for a few of its bytes");
}

TEST_CASE(
    "METADATA comes from the index where it has it, is checked, and is read from the wheel where it is missing") {
  Upstream upstream;
  serve_known(upstream);
  WheelBuilder wheel;
  wheel.name = "torchvision";
  wheel.version = "0.22.1";
  wheel.tags = "cp311-cp311-manylinux_2_28_x86_64";
  const auto metadata = core_metadata("torchvision", "0.22.1", "Requires-Dist: torch==2.7.0\n");
  wheel.files[wheel.dist_info() + "/METADATA"] = {metadata};
  const auto digest = Digest::of(metadata).hex();
  const std::string identity = "companion torchvision 0.22.1";

  SECTION("there, and right: the wheel is not touched") {
    upstream.server.serve(wheel.file_name() + ".metadata", metadata);
    upstream.list("torchvision", wheel.file_name(), "data-core-metadata=sha256=" + digest + " " + k_day);
    auto matrix_says_other = must(survey(upstream));
    CHECK(matrix_says_other.open ==
          std::vector<std::string>{"torchvision 0.22.1 is not added: PyTorch 2.7.0 already has a torchvision"});
    for (const auto& request : upstream.server.requests()) CHECK_FALSE(request.file.ends_with(".whl"));
  }
  SECTION("there, and wrong") {
    upstream.server.serve(wheel.file_name() + ".metadata", "other");
    upstream.list("torchvision", wheel.file_name(), "data-core-metadata=sha256=" + digest + " " + k_day);
    CHECK(error_of(survey(upstream)).code == ErrorCode::integrity_failed);
  }
  SECTION("promised, and missing") {
    upstream.add("torchvision", wheel, "data-core-metadata=true "s + k_day);
    CHECK(must(survey(upstream)).open.size() == 1);
    CHECK_FALSE(upstream.server.ranges().back().empty());
  }
}

TEST_CASE("an index without a companion leaves its rows as they are, and that is said") {
  Upstream upstream({"torch", "torchvision", "torchaudio", "nvidia-nccl-cu12"});
  upstream.add("torch", torch("2.7.0", "cp311"));
  CHECK(must(survey(upstream)).open ==
        std::vector<std::string>{"the index has no torchtext: its rows stay as they are"});
}

TEST_CASE("a companion that pins no torch goes with the release of its day") {
  Upstream upstream;
  serve_known(upstream);
  upstream.add("torch", torch("2.8.0", "cp311"), k_day);
  WheelBuilder wheel;
  wheel.name = "torchvision";
  wheel.version = "0.23.0";
  wheel.tags = "py3-none-manylinux_2_28_x86_64";
  wheel.files[wheel.dist_info() + "/METADATA"] = {
      core_metadata("torchvision", "0.23.0", "Requires-Dist: torch>=2.7.0\n")};
  upstream.add("torchvision", wheel, k_day);
  const auto found = must(survey(upstream));
  CHECK(value(found, "companion torchvision 0.23.0", "pytorch") == "[\"2.8.0\"]");
  CHECK(value(found, "companion torchvision 0.23.0", "torch") == "\">=2.7.0\"");
  CHECK(value(found, "companion torchvision 0.23.0", "python") == "[\"3.11\"]");
}

TEST_CASE("a yanked release is not new, and a known one that was yanked is told with the reason") {
  Upstream upstream;
  serve_known(upstream);
  upstream.pages["torch"][0].attributes += " data-yanked=\"broken metadata\"";
  upstream.list("torch", "torch-2.8.0-cp311-cp311-manylinux_2_28_x86_64.whl", "data-yanked "s + k_day);
  const auto found = must(survey(upstream));
  const auto all = compare(known_rows(small_matrix()), found);
  REQUIRE(all.size() == 2);
  CHECK(all[0].kind == Change::Kind::gone);
  CHECK(all[0].reason == "yanked: broken metadata");
}

TEST_CASE("a plain index without upload times: the day is the wheel's own, and only derived") {
  Upstream upstream;
  upstream.list("torch", "torch-2.7.0-cp311-cp311-manylinux_2_28_x86_64.whl", "");
  upstream.list("torchvision", "torchvision-0.22.0-cp311-cp311-manylinux_2_28_x86_64.whl", "");
  CHECK(changes(must(survey(upstream))).empty());
  upstream.add("torch", torch("2.8.0", "cp311"));
  const auto error = error_of(survey(upstream));  // the test's server gives no Last-Modified
  CHECK(error.message == "nobody says when torch-2.8.0-cp311-cp311-manylinux_2_28_x86_64.whl was uploaded");
}

TEST_CASE(
    "PyTorch's own index has a folder a build; absent folders are no failure, the default's build is not listed "
    "twice") {
  Upstream upstream;
  serve_known(upstream);
  upstream.add("torch", torch("2.8.0", "cp311", "cu126"), k_day);
  upstream.add("whl/cu128/torch", torch("2.8.0+cu128", "cp311"));
  upstream.add("whl/cu128/torch", torch("2.7.0+cu128", "cp311"));
  SurveyRequest request;
  request.torch_index = upstream.server.address() + "/simple/whl";
  const auto found = must(survey(upstream, request));
  CHECK(value(found, "build 2.8.0+cu128 pytorch x86_64", "status") == "\"unadvertised\"");
  CHECK(value(found, "build 2.7.0+cu128 pytorch x86_64", "sass") == R"(["7.5", "8.0", "12.0"])");
  CHECK(changes(found).size() == 4);
}

TEST_CASE("a wheel that contradicts its name or itself is an error, not a row") {
  Upstream upstream;
  serve_known(upstream);
  auto wheel = torch("2.8.0", "cp311");
  SECTION("another version") {
    wheel.files["torch/version.py"] = {"__version__ = '2.8.1+cu128'\ncuda = '12.8'\n"};
  }
  SECTION("another CUDA") {
    wheel.files["torch/version.py"] = {"__version__ = '2.8.0+cu128'\ncuda = '12.6'\n"};
  }
  SECTION("no architectures") {
    wheel.files["torch/lib/libtorch_python.so"] = {"nothing"};
  }
  SECTION("no library") {
    wheel.files.erase("torch/lib/libtorch_python.so");
  }
  upstream.add("torch", wheel, k_day);
  CHECK(error_of(survey(upstream)).code == ErrorCode::input_invalid);
}

TEST_CASE("what a new build's metapackage stands for is read from the metapackage's own METADATA") {
  Upstream upstream;
  serve_known(upstream);
  auto wheel = torch("2.8.0", "cp311");
  wheel.files[wheel.dist_info() + "/METADATA"] = {
      core_metadata("torch", "2.8.0", "Requires-Dist: cuda-toolkit[cublas,cudart]==12.8.1\n")};
  upstream.add("torch", wheel, k_day);
  WheelBuilder toolkit;
  toolkit.name = "cuda_toolkit";
  toolkit.version = "12.8.1";
  toolkit.tags = "py2.py3-none-any";
  const std::string on_linux = "; (sys_platform == 'linux' or sys_platform == 'win32') and extra == ";
  toolkit.files[toolkit.dist_info() + "/METADATA"] = {
      core_metadata("cuda-toolkit", "12.8.1",
                    "Requires-Dist: nvidia-cuda-nvrtc==12.8.93.*" + on_linux +
                        "'cublas'\nRequires-Dist: nvidia-cublas==12.8.4.1.*" + on_linux +
                        "'cublas'\nRequires-Dist: nvidia-cuda-runtime==12.8.90.*" + on_linux + "'cudart'\n")};
  upstream.add("cuda-toolkit", toolkit);
  const auto found = must(survey(upstream));
  const auto row = std::find_if(found.rows.begin(), found.rows.end(),
                                [](const Row& one) { return one.table == Table::metapackage; });
  REQUIRE(row != found.rows.end());
  REQUIRE(row->extras.size() == 2);
  CHECK(row->extras[0].value == "\"nvidia-cublas==12.8.4.1.*\"");
  CHECK(row->extras[1].value == "\"nvidia-cuda-runtime==12.8.90.*\"");
}

TEST_CASE("what a build downloads is its wheel, NVIDIA's libraries and Triton, in the newest versions it accepts") {
  Upstream upstream;
  serve_known(upstream);
  const auto wheel = torch("2.8.0", "cp311");
  upstream.add("torch", wheel, k_day);
  const auto part = [&](const std::string& name, const std::string& version, const std::string& tags, int bytes) {
    WheelBuilder built;
    built.name = name;
    built.version = version;
    built.tags = tags;
    upstream.server.serve(built.file_name(), std::string(static_cast<std::size_t>(bytes), 'x'));
    upstream.list(base::replace_all(name, "_", "-"), built.file_name(), "");
  };
  part("nvidia_nccl_cu12", "2.27.3", "py3-none-manylinux_2_18_x86_64", 1'000);
  part("nvidia_nccl_cu12", "2.27.3", "py3-none-manylinux_2_18_aarch64", 50);
  part("nvidia_nccl_cu12", "2.28.0", "py3-none-manylinux_2_18_x86_64", 60);
  const std::string build = "build 2.8.0 default x86_64";
  SECTION("all of it is there") {
    part("triton", "3.4.0", "cp311-cp311-manylinux_2_28_x86_64", 200);
    part("triton", "3.4.0", "cp312-cp312-manylinux_2_28_x86_64", 7);
    const auto found = must(survey(upstream));
    CHECK(value(found, build, "download_bytes") == std::to_string(wheel.bytes().size() + 1'200));
    CHECK(found.open.empty());
  }
  SECTION("a part is missing: the sum is not known, rather than too small") {
    const auto found = must(survey(upstream));
    CHECK(value(found, build, "download_bytes") == "absent");
    CHECK(found.open ==
          std::vector<std::string>{"how much 2.8.0+cu128 for x86_64 downloads is not known: the index "
                                   "does not say how large triton==3.4.0 is"});
  }
}

TEST_CASE("NVIDIA's lists give the driver of each CUDA release, and say which cuDNN nobody has looked at") {
  Upstream upstream;
  serve_known(upstream);
  upstream.server.serve("redistrib_12.8.1.json", R"({"release_label":"12.8.1","release_product":"cuda",
    "nvidia_driver":{"version":"570.124.06","linux-x86_64":{}}})");
  upstream.server.serve("redistrib_13.5.0.json", R"({"release_label":"13.5.0","release_product":"cuda",
    "cuda_cudart":{"version":"13.5.1"}})");
  upstream.server.serve("redistrib_9.30.0.json", R"({"release_label":"9.30.0","release_product":"cudnn",
    "cudnn":{"version":"9.30.0.1","linux-x86_64":{"cuda13":{}}}})");
  upstream.server.serve("simple/redist/index.html",
                        "<html><a href='../'>up</a><a href='../../redistrib_12.8.1.json'>"
                        "<a href='../../redistrib_13.5.0.json'><a href='../../redistrib_9.30.0.json'>");
  SurveyRequest request;
  request.redist = {upstream.server.address() + "/simple/redist"};
  const auto found = must(survey(upstream, request));
  CHECK(changes(found) == std::vector<std::string>{"added toolkit 12.8.1"});
  CHECK(value(found, "toolkit 12.8.1", "driver") == "\"570.124.06\"");
  CHECK(found.open == std::vector<std::string>{
                          "CUDA 13.5 is new and its list names no driver",
                          "cuDNN 9.30.0.1 for CUDA 13 is in no row of cudnn: its GPUs are not in NVIDIA's list"});
  request.redist = {upstream.index() + "/torch"};
  CHECK(error_of(survey(upstream, request)).message == "the folders given with --redist list no redistrib_*.json");
}
