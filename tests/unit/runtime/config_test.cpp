// The pure parts: what a container's configuration says, which ids a user has, what GPUs add.

#include "assembly/runtime/byte_source.hpp"
#include "assembly/runtime/cdi.hpp"
#include "assembly/runtime/container_config.hpp"
#include "assembly/runtime/job.hpp"
#include "assembly/runtime/nvidia.hpp"
#include "assembly/runtime/subordinate_ids.hpp"
#include "foundation/sys/files.hpp"

#include <catch2/catch.hpp>

using namespace torchkiln;
using namespace torchkiln::runtime;
namespace fs = std::filesystem;

namespace {

document::JsonValue parsed(const std::string& text) {
  auto value = document::JsonValue::parse(text, "gpu.json");
  REQUIRE(value);
  return *value;
}

document::Json empty_config() {
  RunRequest request;
  request.arguments = {"true"};
  return container_config(request, Terminal::none);
}

std::optional<DeviceNode> fake_lookup(const std::string& path) {
  if (!path.starts_with("/dev/nvidia")) return std::nullopt;
  return DeviceNode{'c', 195, path.back() - '0', 0666};
}

/// What `nvidia-ctk cdi generate --format=json` writes, shortened.
constexpr const char* k_specification = R"({
  "cdiVersion": "0.5.0", "kind": "nvidia.com/gpu",
  "devices": [
    {"name": "0", "containerEdits": {"deviceNodes": [{"path": "/dev/nvidia0"}]}},
    {"name": "all", "containerEdits": {
      "deviceNodes": [{"path": "/dev/nvidia0", "major": 195, "minor": 7, "uid": 5}, {"path": "/dev/nvidia1", "fileMode": 384}],
      "additionalGids": [44]}}],
  "containerEdits": {
    "env": ["NVIDIA_VISIBLE_DEVICES=void", "PATH=/x"],
    "deviceNodes": [{"path": "/dev/renamed", "hostPath": "/dev/nvidia2"}],
    "hooks": [{"hookName": "createContainer", "path": "/usr/bin/nvidia-cdi-hook",
               "args": ["nvidia-cdi-hook", "update-ldcache"], "timeout": 9}],
    "mounts": [{"hostPath": "/usr/bin/nvidia-smi", "containerPath": "/usr/bin/nvidia-smi", "options": ["ro", "bind"]},
               {"hostPath": "/h", "containerPath": "/c"}]}})";

}  // namespace

TEST_CASE("a CDI device adds its nodes, mounts, variables, hooks and groups") {
  auto config = empty_config();
  const auto mounts_before = config["mounts"].size();
  REQUIRE(apply_cdi(parsed(k_specification), "all", fake_lookup, config));
  CHECK(config["linux"]["devices"] == document::Json::parse(R"([
    {"path": "/dev/renamed", "type": "c", "major": 195, "minor": 2, "fileMode": 438},
    {"path": "/dev/nvidia0", "type": "c", "major": 195, "minor": 7, "fileMode": 438, "uid": 5},
    {"path": "/dev/nvidia1", "type": "c", "major": 195, "minor": 1, "fileMode": 384}])"));
  CHECK(config["process"]["env"] == document::Json::parse(R"(["PATH=/x", "NVIDIA_VISIBLE_DEVICES=void"])"));
  CHECK(config["process"]["user"]["additionalGids"] == document::Json::parse("[44]"));
  CHECK(config["hooks"] == document::Json::parse(R"({"createContainer": [{"path": "/usr/bin/nvidia-cdi-hook",
    "args": ["nvidia-cdi-hook", "update-ldcache"], "timeout": 9}]})"));
  REQUIRE(config["mounts"].size() == mounts_before + 2);
  CHECK(config["mounts"][mounts_before] ==
        document::Json::parse(R"({"destination": "/usr/bin/nvidia-smi", "type": "bind",
    "source": "/usr/bin/nvidia-smi", "options": ["ro", "bind"]})"));
  CHECK(config["mounts"][mounts_before + 1]["options"] ==
        document::Json::parse(R"(["ro", "nosuid", "nodev", "rbind", "rprivate"])"));
}

TEST_CASE("a CDI specification that does not fit this host or is malformed is refused") {
  const auto refusal = [](const std::string& specification, const std::string& device) {
    auto config = empty_config();
    const auto applied = apply_cdi(parsed(specification), device, fake_lookup, config);
    REQUIRE_FALSE(applied);
    CHECK(applied.error().code == base::ErrorCode::input_invalid);
    return applied.error().message;
  };
  const auto with_edits = [](const std::string& edits) {
    return R"({"devices": [{"name": "all", "containerEdits": )" + edits + "}]}";
  };
  CHECK(refusal(k_specification, "7").find("has no device '7'") != std::string::npos);
  CHECK(refusal("{}", "all").find("has no device 'all'") != std::string::npos);
  CHECK(refusal(with_edits(R"({"deviceNodes": [{"path": "/dev/other"}]})"), "all")
            .find("a device that this host does not have: /dev/other") != std::string::npos);
  CHECK(refusal(with_edits(R"({"env": ["NAME"]})"), "all").find("without '='") != std::string::npos);
  CHECK(refusal(with_edits(R"({"mounts": [{"hostPath": "/h"}]})"), "all").find("containerPath") !=
        std::string::npos);
  CHECK(refusal(with_edits(R"({"mounts": {}})"), "all").find("mounts") != std::string::npos);
  CHECK(refusal(with_edits(R"([])"), "all").find("containerEdits") != std::string::npos);
}

TEST_CASE("without a CDI specification the driver's devices and libraries are found") {
  auto folder = sys::TemporaryDirectory::create(fs::temp_directory_path(), "torchkiln-test-");
  REQUIRE(folder);
  NvidiaPlaces places;
  places.cdi = {folder->path() / "cdi"};
  places.devices = folder->path() / "dev";
  places.libraries = {folder->path() / "none", folder->path() / "lib"};
  places.programs = {folder->path() / "bin"};
  CHECK(describe_nvidia(places).is_null());
  for (const char* name : {"dev/nvidia0", "dev/nvidia10", "dev/nvidiactl", "dev/nvidia-uvm", "dev/nvidia-modeset",
                           "dev/null", "lib/libcuda.so.570.1", "bin/nvidia-smi"}) {
    REQUIRE(sys::make_directories((folder->path() / name).parent_path()));
    REQUIRE(sys::write_file(folder->path() / name, ""));
  }
  fs::create_symlink("libcuda.so.570.1", folder->path() / "lib/libcuda.so.1");

  const auto found = describe_nvidia(places);
  std::vector<std::string> devices;
  for (const auto& node : found["devices"][0]["containerEdits"]["deviceNodes"]) devices.push_back(node["path"]);
  CHECK(devices == std::vector<std::string>{"/dev/nvidia0", "/dev/nvidia10", "/dev/nvidiactl", "/dev/nvidia-uvm"});
  const auto& mounts = found["devices"][0]["containerEdits"]["mounts"];
  REQUIRE(mounts.size() == 2);
  CHECK(mounts[0]["hostPath"] == fs::canonical(folder->path() / "lib/libcuda.so.570.1").string());
  CHECK(fs::path(mounts[0]["containerPath"].get<std::string>()).filename() == "libcuda.so.1");
  CHECK(mounts[1]["containerPath"] == "/usr/bin/nvidia-smi");
}

TEST_CASE("a CDI specification of another kind is passed over") {
  auto folder = sys::TemporaryDirectory::create(fs::temp_directory_path(), "torchkiln-test-");
  REQUIRE(folder);
  NvidiaPlaces places;
  places.cdi = {folder->path()};
  REQUIRE(sys::write_file(folder->path() / "a.json", R"({"kind": "other.com/nic", "devices": []})"));
  REQUIRE(sys::write_file(folder->path() / "b.yaml", "kind: nvidia.com/gpu"));
  REQUIRE(sys::write_file(folder->path() / "c.json", R"({"kind": "nvidia.com/gpu", "devices": [
    {"name": "all", "containerEdits": {"env": ["FROM=c.json"]}}]})"));
  auto config = empty_config();
  REQUIRE(add_nvidia_gpus(config, places));
  CHECK(config["process"]["env"].back() == "FROM=c.json");
}

TEST_CASE("subordinate ids are read by name and by number, and become a map") {
  const auto text =
      "root:1:5\nkiln:100000:65536\n1000:300000:10\nkiln:nonsense:1\nkiln:5\nkiln:1:0\n"
      "kiln:4294967290:10\nkiln2:7:7\n";
  const auto ranges = parse_subordinate_ids(text, "kiln", 1000);
  CHECK(ranges == std::vector<IdRange>{{100000, 65536}, {300000, 10}});
  CHECK(id_map_arguments(1000, ranges) ==
        std::vector<std::string>{"0", "1000", "1", "1", "100000", "65536", "65537", "300000", "10"});
  CHECK(parse_subordinate_ids(text, "nobody", 65534).empty());
}

TEST_CASE("a terminal and a writable root are in the configuration only when asked for") {
  RunRequest request;
  request.arguments = {"true"};
  CHECK(container_config(request, Terminal::none)["process"]["terminal"] == false);
  CHECK(container_config(request, Terminal::ours)["process"]["terminal"] == true);
  CHECK(container_config(request, Terminal::none)["root"]["readonly"] == true);
  request.root = RootAccess::throw_away;
  CHECK(container_config(request, Terminal::none)["root"]["readonly"] == false);
}

TEST_CASE("jobs and their results survive being written and read") {
  ContainerJob container;
  container.runtime = RuntimeKind::crun;
  container.lower = {"/a", "/b"};
  container.config = R"({"x": "\u0000\n"})";
  container.root = RootAccess::kept;
  container.upper = "/u";
  container.space = "/s";
  container.hosts = "h\n";
  UnpackJob unpack = {"/blob", Compression::zstd, base::Digest::of("x"), "/f"};
  for (const auto& job :
       {Job{7, container}, Job{7, unpack}, Job{7, RemoveJob{"/f"}}, Job{7, EngineJob{{"a"}, {"b"}}}}) {
    const auto text = to_text(job);
    const auto back = read_job(text, "job.json");
    REQUIRE(back);
    CHECK(to_text(*back) == text);
  }
  JobResult result;
  result.error = base::Error{base::ErrorCode::disk_full, "full", std::nullopt, {"note"}, {"hint"}};
  const auto back = read_result(to_text(result), "result.json");
  REQUIRE(back);
  CHECK(back->error->code == base::ErrorCode::disk_full);
  CHECK(to_text(*back) == to_text(result));
  CHECK_FALSE(read_job("{}", "job.json"));
  CHECK_FALSE(read_result(R"({"exit_status": 0, "error": {"code": 99}})", "result.json"));
}
