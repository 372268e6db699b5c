#include "plan/lock/make_lock.hpp"

#include "foundation/base/text.hpp"
#include "support/fake_tool.hpp"
#include "support/fault_server.hpp"
#include "support/zip_builder.hpp"
#include "unit/lock/lock_fixture.hpp"
#include "unit/lock/variables.hpp"

#include <catch2/catch.hpp>

using namespace torchkiln::lock;
using torchkiln::base::Digest;
using torchkiln::base::ErrorCode;
using torchkiln::base::Result;
using torchkiln::lock::test::a_resolution;
using torchkiln::lock::test::Variables;
using torchkiln::sys::BlobStore;
using torchkiln::sys::HttpClient;
using torchkiln::sys::HttpLimits;
using torchkiln::sys::NetworkAccess;
using torchkiln::test::error_of;
using torchkiln::test::FakeTool;
using torchkiln::test::FaultServer;
using torchkiln::test::must;
using torchkiln::test::TestFolder;
using torchkiln::test::WheelBuilder;
using Texts = std::vector<std::string>;

namespace {

WheelBuilder named(const std::string& name, const std::string& version) {
  WheelBuilder builder;
  builder.name = name;
  builder.version = version;
  builder.files[name + "/__init__.py"] = {"# " + name + "\n"};
  return builder;
}

/// A machine whose uv and apt are fake and whose index is on the loopback address.
struct Machine {
  TestFolder folder;
  FaultServer index;
  Variables variables;
  FakeTool apt{"apt-get", R"sh(
case " $* " in *" update "*) ;; *) shift 4; for p in "$@"; do case "$p" in \?*) ;; *)
  echo "'http://mirror.example/${p}_1_amd64.deb' ${p}_1_amd64.deb 10 SHA256:$(printf %s "$p" | sha256sum | cut -c1-64)" ;;
esac; done ;; esac
)sh"};
  FakeTool uv{"uv", R"sh(
while [ $# -gt 0 ]; do case "$1" in --output-file) cp "$FAKE/pylock.toml" "$2" ;; *.in) cp "$1" "$FAKE/requirements" ;;
  --constraints) cp "$2" "$FAKE/constraints" ;; esac; shift; done
)sh"};
  torchkiln::spec::Spec spec = must(torchkiln::spec::parse(
      "schema = 'torchkiln.spec/1'\n[image]\nname = 'team/pytorch'\n[packages]\npython = ['numpy>=1.26']\n"
      "system = ['git']\n[user]\nname = 'ada'\nuid = 1234\n",
      "kiln.toml"));
  torchkiln::solver::Resolution resolution = a_resolution();
  BlobStore blobs{folder.path("cache/blobs")};
  torchkiln::base::SilentProgress progress;
  std::optional<Lock> earlier;
  PythonIndexes indexes;
  Upgrade upgrade = Upgrade::keep;
  NetworkAccess network = NetworkAccess::allowed;
  std::vector<PartRequest> parts;
  std::string steps = "[]";  ///< how the index answers

  Machine() {
    variables.set("UV_DEFAULT_INDEX", index.address());
    serve({named("torch", "2.8.0"), named("numpy", "2.3.1"), named("pip", "25.2")});
  }
  void serve(const std::vector<WheelBuilder>& builders) {
    std::string pylock = "lock-version = \"1.0\"\ncreated-by = \"uv\"\n";
    for (const auto& builder : builders) {
      index.serve(builder.file_name(), builder.bytes());
      pylock += "\n[[packages]]\nname = \"" + builder.name + "\"\nversion = \"" + builder.version +
                "\"\nwheels = [{ url = \"" + index.url(builder.file_name(), "plan", steps) +
                "\", hashes = { sha256 = \"" + Digest::of(builder.bytes()).hex() + "\" } }]\n";
    }
    must(torchkiln::sys::write_file(uv.path() / "pylock.toml", pylock));
  }
  Result<NewLock> make() {
    const LockRequest request{spec,
                              resolution,
                              Digest::of("matrix"),
                              indexes,
                              {"http://mirror.example/debian"},
                              {"g++"},
                              parts,
                              earlier,
                              "",
                              upgrade,
                              {},
                              network,
                              uv.program("uv"),
                              folder.path("cache")};
    HttpLimits limits;
    limits.attempts = 2;
    limits.backoff_s = 0.02;
    limits.access = network;
    HttpClient http(limits);
    return make_lock(request, http, blobs, progress);
  }
};

}  // namespace

TEST_CASE("a lock holds what spec, resolution, uv, apt and the wheels themselves say") {
  Machine t;
  const auto made = must(t.make());
  const auto& lock = made.lock;
  CHECK(lock.spec_digest == digest_of(t.spec));
  CHECK(lock.matrix_revision == Digest::of("matrix"));
  CHECK(lock.image_name == "team/pytorch");
  CHECK(lock.user.name == "ada");
  CHECK(lock.user.uid == 1234);
  CHECK(lock.user.gid == 1234);
  CHECK((lock.resolution == locked(t.resolution)));
  CHECK(lock.requested == Texts{"torch==2.8.0", "numpy>=1.26", "pip"});
  CHECK(lock.requested_debian == Texts{"build:g++", "ca-certificates", "git", "passwd", "python3", "tini"});
  REQUIRE(lock.wheels.size() == 3);
  CHECK(lock.wheels[0].name == "numpy");
  CHECK(lock.wheels[0].size_bytes == named("numpy", "2.3.1").bytes().size());
  CHECK(lock.wheels[0].unpacked_bytes > 100);
  REQUIRE(lock.debs.size() == 6);
  CHECK(lock.debs[1].name == "g++");
  CHECK(lock.debs[1].in_build_root);
  CHECK(t.uv.text("requirements") == "torch==2.8.0\nnumpy>=1.26\npip\n");
  CHECK(made.pylock == t.uv.text("pylock.toml"));
  CHECK(is_current(lock, t.spec));
}

TEST_CASE("locking twice gives the same bytes, and the wheels are not looked at again") {
  Machine t;
  auto first = must(t.make());
  first.lock.wheels[2].layer = LockedLayer{Digest::of("layer"), Digest::of("diff"), 5};
  const auto requests = t.index.requests().size();
  t.earlier = first.lock;
  const auto second = must(t.make());
  CHECK(to_toml(second.lock) == to_toml(first.lock));
  CHECK(t.index.requests().size() == requests);
  CHECK(t.apt.calls().size() == 3);  // nor is apt asked
  // With the lists and pins there, that works without a network too.
  t.network = NetworkAccess::forbidden;
  CHECK(to_toml(must(t.make()).lock) == to_toml(first.lock));
  t.upgrade = Upgrade::all;
  t.network = NetworkAccess::allowed;
  must(t.make());
  CHECK(t.apt.calls().size() == 6);
}

TEST_CASE("offline, wheels of the cache are read there, and others are an error that names one") {
  Machine t;
  t.earlier = must(t.make()).lock;
  const auto numpy = named("numpy", "2.4.0");
  t.serve({named("torch", "2.8.0"), numpy, named("pip", "25.2")});
  t.network = NetworkAccess::forbidden;
  for (const auto& builder : {named("torch", "2.8.0"), named("pip", "25.2")}) must(t.blobs.put(builder.bytes()));
  const auto error = error_of(t.make());
  CHECK(error.code == ErrorCode::network_failed);
  CHECK(error.message == "cannot fetch " + t.index.url(numpy.file_name(), "plan") + " without the network");
  must(t.blobs.put(numpy.bytes()));
  CHECK(must(t.make()).lock.wheels[0].version == "2.4.0");
}

TEST_CASE("an index without byte ranges costs the download, not the lock") {
  Machine t;
  t.steps = R"([{"forever": true, "ignore_range": true}])";
  t.serve({named("torch", "2.8.0"), named("pip", "25.2")});
  const auto lock = must(t.make()).lock;
  CHECK(lock.wheels[1].size_bytes == named("torch", "2.8.0").bytes().size());
  CHECK(t.blobs.contains(lock.wheels[1].digest));
}

TEST_CASE("two wheels that write one path differently are a conflict before anything is downloaded") {
  Machine t;
  auto torch = named("torch", "2.8.0"), other = named("numpy", "2.3.1");
  torch.files["shared.py"] = {"1"};
  other.files["shared.py"] = {"2"};
  t.serve({torch, other, named("pip", "25.2")});
  const auto error = error_of(t.make());
  CHECK(error.code == ErrorCode::package_conflict);
  CHECK_THAT(error.message, Catch::Matchers::EndsWith("/shared.py"));
  CHECK_FALSE(std::filesystem::exists(t.folder.path("cache/blobs")));
}

TEST_CASE("an index that gives another version than the matrix pins is not believed") {
  Machine t;
  t.resolution.pins = {{"numpy", must(torchkiln::version::Version::parse("9.9"))},
                       {"absent", must(torchkiln::version::Version::parse("1"))}};
  const auto error = error_of(t.make());
  CHECK(error.code == ErrorCode::integrity_failed);
  CHECK(error.message == "the index gives numpy 2.3.1 where the matrix says that torch 2.8.0 pins 9.9");
}

TEST_CASE("a build of PyTorch's own index needs that index, and pins the build everywhere") {
  Machine t;
  t.resolution.index = "pytorch";
  t.resolution.build = "cu126";
  t.resolution.torchvision = must(torchkiln::version::Version::parse("0.23.0"));
  const auto error = error_of(t.make());
  CHECK(error.code == ErrorCode::usage);
  CHECK(error.message == "torch 2.8.0+cu126 is not on the default Python index");
  t.indexes.torch_index = "https://index.example/whl";
  must(t.make());
  CHECK(t.uv.text("requirements") == "torch==2.8.0+cu126\nnumpy>=1.26\npip\n");
  CHECK(t.uv.text("constraints") == "torchvision==0.23.0+cu126\n");
}

TEST_CASE("a PyTorch that imports pkg_resources is given the setuptools that has it") {
  for (const auto& [pytorch, is_given] : {std::pair("2.1.2", true), std::pair("2.2.0", false)}) {
    Machine t;
    t.resolution.pytorch = must(torchkiln::version::Version::parse(pytorch));
    (void)t.make();  // what is asked for is all that matters here
    CHECK((t.uv.text("requirements").find("\nsetuptools<81\n") != std::string::npos) == is_given);
  }
}

TEST_CASE("a lock is current as long as the spec means the same") {
  Machine t;
  const auto lock = must(t.make()).lock;
  auto spec = t.spec;
  CHECK(is_current(lock, spec));
  spec.user.uid = 1;
  CHECK_FALSE(is_current(lock, spec));
}

TEST_CASE("uv's failure is told although apt is still at work, and apt's although uv is done") {
  {
    Machine t;
    std::filesystem::remove(t.uv.path() / "pylock.toml");
    CHECK(error_of(t.make()).code == ErrorCode::file_failed);
  }
  Machine t;
  const FakeTool apt("apt-get", "echo 'E: no' >&2; exit 100");
  CHECK(error_of(t.make()).code == ErrorCode::network_failed);
}

namespace {

/// A uv that answers with pylock-N.toml the Nth time, and keeps the files that it was asked with.
const std::string k_counting_uv = R"sh(
n=$(($(cat "$FAKE/count" 2>/dev/null || echo 0) + 1)); echo $n > "$FAKE/count"
while [ $# -gt 0 ]; do case "$1" in --output-file) cp "$FAKE/pylock-$n.toml" "$2" ;; *.in) cp "$1" "$FAKE/requirements-$n" ;;
  --constraints) cp "$2" "$FAKE/constraints-$n" ;; esac; shift; done
)sh";

}  // namespace

TEST_CASE("each part is pinned beside the base, bound to all that is pinned before it; the rest is the part's") {
  using torchkiln::spec::Part;
  Machine t;
  const FakeTool uv("uv", k_counting_uv);
  const auto answer = [&](int n, const std::vector<WheelBuilder>& builders) {
    t.serve(builders);
    std::filesystem::copy_file(t.uv.path() / "pylock.toml", uv.path() / ("pylock-" + std::to_string(n) + ".toml"));
  };
  const auto torch = named("torch", "2.8.0"), pip = named("pip", "25.2"), numpy = named("numpy", "2.3.1"),
             lab = named("jupyterlab", "4.4"), six = named("six", "1.17"), nvcc = named("nvcc", "13.0");
  answer(1, {torch, numpy, pip});
  answer(2, {torch, numpy, pip, nvcc, six});
  answer(3, {torch, numpy, pip, lab, six});
  answer(4, {torch, numpy, pip, lab, six, nvcc});
  t.parts = {{Part::devel, {"nvcc"}, {}}, {Part::jupyter, {"jupyterlab"}, {}}, {Part::ssh, {}, {"openssh-server"}}};
  const LockRequest request{t.spec,
                            t.resolution,
                            Digest::of("matrix"),
                            {},
                            {"http://mirror.example/debian"},
                            {},
                            t.parts,
                            {},
                            "",
                            Upgrade::keep,
                            {},
                            NetworkAccess::allowed,
                            uv.program("uv"),
                            t.folder.path("cache")};
  HttpClient http;
  const auto made = must(make_lock(request, http, t.blobs, t.progress));
  Texts told;
  for (const auto& wheel : made.lock.wheels) told.push_back(wheel.name + " " + name(wheel.parts));
  CHECK(told == Texts{"jupyterlab jupyter", "numpy runtime", "nvcc devel", "pip runtime", "six devel+jupyter",
                      "torch runtime"});
  CHECK(uv.text("requirements-3") == "torch==2.8.0\nnumpy>=1.26\npip\njupyterlab\n");
  CHECK(uv.text("constraints-3") == "numpy==2.3.1\nnvcc==13.0\npip==25.2\nsix==1.17\ntorch==2.8.0\n");
  CHECK(uv.text("requirements-4") == "torch==2.8.0\nnumpy>=1.26\npip\nnvcc\njupyterlab\n");
  CHECK(made.pylock == uv.text("pylock-4.toml"));
  CHECK(made.lock.requested == Texts{"torch==2.8.0", "numpy>=1.26", "pip"});
  CHECK(made.lock.requested_debian == Texts{"ca-certificates", "git", "passwd", "python3", "ssh:openssh-server", "tini"});
  CHECK(std::all_of(made.lock.debs.begin(), made.lock.debs.end(),
                    [](const LockedDeb& deb) { return !deb.in_build_root; }));
}

TEST_CASE("a part that does not go with the base is a conflict that names it") {
  Machine t;
  const FakeTool uv("uv", k_counting_uv + "[ $n = 1 ] || { echo 'error: No solution found' >&2; exit 1; }\n");
  t.serve({named("torch", "2.8.0"), named("pip", "25.2")});
  for (const char* n : {"1", "2"})
    std::filesystem::copy_file(t.uv.path() / "pylock.toml", uv.path() / ("pylock-" + std::string(n) + ".toml"));
  const LockRequest request{t.spec,
                            t.resolution,
                            Digest::of("matrix"),
                            {},
                            {"http://mirror.example/debian"},
                            {},
                            {{torchkiln::spec::Part::jupyter, {"jupyterlab"}, {}}},
                            {},
                            "",
                            Upgrade::keep,
                            {},
                            NetworkAccess::allowed,
                            uv.program("uv"),
                            t.folder.path("cache")};
  HttpClient http;
  const auto error = error_of(make_lock(request, http, t.blobs, t.progress));
  CHECK(error.code == ErrorCode::package_conflict);
  CHECK(error.message == "the part jupyter does not go with the Python packages of the base");
  CHECK(error.notes.front() == "error: No solution found");
}

TEST_CASE("the parts of all variants ask together, each once, in the order of their layers") {
  using torchkiln::spec::Part;
  const TestFolder images;
  for (const char* part : {"devel", "jupyter", "ssh"}) {
    images.write(std::string(part) + "/packages.txt", std::string("# comment\n") + part + "-deb\n");
    images.write(std::string(part) + "/requirements.txt", "\n" + std::string(part) + ">=1  # why\n");
  }
  images.write("devel/cuda-wheels.txt", "nvidia-cuda-nvcc\n");
  images.write("devel/cuda-archives.txt", "cuda_nvcc\ncuda_cudart\n");
  torchkiln::base::SilentProgress silent;
  auto resolution = a_resolution();
  torchkiln::spec::Spec spec;
  CHECK(must(part_requests(spec, resolution, images.path(), silent)).empty());
  spec.image.variants = {{Part::ssh}, {Part::devel, Part::ssh}};
  auto requests = must(part_requests(spec, resolution, images.path(), silent));
  REQUIRE(requests.size() == 2);
  CHECK(requests[0].part == Part::devel);
  CHECK(requests[0].packages == Texts{"devel-deb"});
  CHECK(requests[0].requirements == Texts{"devel>=1"});  // CUDA 12.8: its wheels have no nvcc
  CHECK(requests[1].part == Part::ssh);
  resolution.cuda = must(torchkiln::version::CudaVersion::parse("13.0"));
  requests = must(part_requests(spec, resolution, images.path(), silent));
  CHECK(requests[0].requirements == Texts{"devel>=1", "nvidia-cuda-nvcc==13.0.*"});
  using torchkiln::spec::ToolkitSource;
  spec.devel.cuda = {ToolkitSource::none, {"kiln.toml", 5, 8}};
  CHECK(must(part_requests(spec, resolution, images.path(), silent))[0].requirements == Texts{"devel>=1"});
  spec.devel.cuda->value = ToolkitSource::archives;
  requests = must(part_requests(spec, a_resolution(), images.path(), silent));
  CHECK(requests[0].archives == Texts{"cuda_nvcc", "cuda_cudart"});
  CHECK(requests[0].packages == Texts{"devel-deb"});
  // Its nvcc refuses Debian 12's g++ 12.
  resolution.cuda = must(torchkiln::version::CudaVersion::parse("11.8"));
  CHECK(must(part_requests(spec, resolution, images.path(), silent))[0].packages == Texts{"devel-deb", "g++-11"});
  spec.devel.cuda->value = ToolkitSource::wheels;
  const auto error = error_of(part_requests(spec, a_resolution(), images.path(), silent));
  CHECK(error.code == ErrorCode::spec_invalid);
  CHECK(error.where->to_string() == "kiln.toml:5:8");
  CHECK(error.message == "CUDA 12.8's wheels have no nvcc; those of CUDA 13 are the first");
}

TEST_CASE("a package that names another CUDA than the build's is refused before anything is asked") {
  Machine t;
  const auto refused = [&](const std::string& package) {
    t.spec.python_packages = {
        must(torchkiln::spec::parse("schema = 'torchkiln.spec/1'\n[packages]\npython = ['" + package + "']\n",
                                    "kiln.toml"))
            .python_packages.at(0)};
    const auto error = error_of(t.make());
    CHECK(error.code == ErrorCode::package_conflict);
    CHECK(error.where->to_string() == "kiln.toml:3:11");
    return error.message + " (" + error.hints.front() + ")";
  };
  CHECK(refused("tensorrt-cu13") ==
        "tensorrt-cu13 is for CUDA 13, and PyTorch 2.8.0+cu128 for CUDA 12.8 (ask for tensorrt-cu12)");
  CHECK(refused("cupy-cuda11x>=13") ==
        "cupy-cuda11x is for CUDA 11, and PyTorch 2.8.0+cu128 for CUDA 12.8 (or a build "
        "for CUDA 11: --cuda '11.*')");
}

TEST_CASE("the index's stand-ins for TensorRT, and one for another CUDA, are not taken for it") {
  Machine t;
  const auto refused = [&](const std::string& name, const std::string& version) {
    t.serve({named("numpy", "2.3.1"), named("pip", "25.2"), named(name, version), named("torch", "2.8.0")});
    const auto error = error_of(t.make());
    CHECK(error.code == ErrorCode::package_conflict);
    return error.message;
  };
  CHECK(refused("tensorrt_cu12", "0.0.0a0") == "tensorrt-cu12 0.0.0a0 is a stand-in without TensorRT in it");
  CHECK(refused("tensorrt_cu13_libs", "10.9") ==
        "tensorrt-cu13-libs is for CUDA 13, and PyTorch 2.8.0+cu128 for CUDA 12.8");
  t.serve({named("numpy", "2.3.1"), named("pip", "25.2"), named("tensorrt_cu12_libs", "10.9"),
           named("torch", "2.8.0")});
  CHECK(must(t.make()).lock.wheels.size() == 4);
}
