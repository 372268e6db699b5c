#include "knowledge/upstream/wheel_facts.hpp"

#include "knowledge/upstream/marker.hpp"
#include "support/must.hpp"

#include <catch2/catch.hpp>

using namespace torchkiln::upstream;
using torchkiln::matrix::Architecture;
using torchkiln::test::error_of;
using torchkiln::test::must;
using torchkiln::version::ComputeCapability;
using torchkiln::version::CudaVersion;
using torchkiln::version::Version;
using namespace std::string_literals;

namespace {

std::string on_linux(std::string_view line, Architecture architecture = Architecture::x86_64,
                     std::string_view extra = "") {
  return must(requirement_on_linux(line, architecture, extra)).value_or("not asked for");
}

}  // namespace

TEST_CASE("version.py is read as PyTorch 1.13 and 2.15 write it") {
  const auto old = must(parse_version_file(
      "__version__ = '1.13.1+cu117'\ndebug = False\ncuda = '11.7'\ngit_version = '49'\nhip = None\n", "w"));
  CHECK(old.version.to_string() == "1.13.1+cu117");
  CHECK(old.cuda == CudaVersion{11, 7, 0});
  const auto recent =
      must(parse_version_file("from typing import Optional\n\n__all__ = ['__version__', 'cuda']\n"
                              "__version__ = '2.10.0+cpu'\ncuda: Optional[str] = None\n",
                              "w"));
  CHECK(recent.version.to_string() == "2.10.0+cpu");
  CHECK_FALSE(recent.cuda);
  CHECK(error_of(parse_version_file("__version__ = '2.8.0'\n", "torch.whl")).message ==
        "torch.whl: its torch/version.py names no version or no CUDA version");
}

TEST_CASE("METADATA's headers end where its description begins") {
  const auto metadata =
      must(parse_core_metadata("Metadata-Version: 2.1\nName: torch\nVersion: 2.8.0\n"
                               "Requires-Dist: filelock\nLicense: a\n  b: c\n\nRequires-Dist: no\n",
                               "w"));
  CHECK(metadata.name == "torch");
  CHECK(metadata.requires_dist == std::vector<std::string>{"filelock"});
  CHECK(error_of(parse_core_metadata("Name: torch\n\nVersion: 1\n", "w.whl")).message ==
        "w.whl: its METADATA has no name or no version");
}

TEST_CASE("the list of architectures is the one made of flags alone") {
  const auto facts =
      read_library("sm_\0built for sm_70 and more\0sm_35\0x\0sm_75 sm_80 sm_120 compute_120 sm_90a\0GLIBC_2.9\0"s);
  REQUIRE(facts.sass);
  CHECK(*facts.sass == std::vector<ComputeCapability>{{7, 5}, {8, 0}, {12, 0}});
  CHECK(facts.ptx == std::vector<ComputeCapability>{{12, 0}});
  CHECK(facts.specific == std::vector<std::string>{"sm_90a"});
  CHECK_FALSE(read_library("sm_75 sm_80"s).sass);  // not a C string
}

TEST_CASE("constants without a NUL may stand before the list, as in the wheel of 2.9.1") {
  const auto facts = read_library("std::string ipc_hsm_70 sm_75 sm_80\0\0"s);
  REQUIRE(facts.sass);
  CHECK(facts.sass->size() == 3);
}

TEST_CASE("the newest symbol version of glibc counts, by numbers") {
  CHECK(read_library("\0GLIBC_2.9\0GLIBC_2.28\0GLIBC_2.3.4\0GLIBC_PRIVATE\0GLIBCXX_3.4.30\0"s).glibc ==
        must(Version::parse("2.28")));
  CHECK_FALSE(read_library("nothing").glibc);
}

TEST_CASE("the ABI of std::string is told by names of c10's functions") {
  CHECK(read_library("\0_ZN3c105ErrorC2ENS_14SourceLocationESs\0"s).cxx11_abi == false);
  CHECK(read_library("\0_ZN3c104nameERKNSt7__cxx1112basic_stringIcEE\0"s).cxx11_abi == true);
  CHECK_FALSE(read_library("\0_ZN2at3fooEi\0"s).cxx11_abi);
}

TEST_CASE("a marker is settled for Linux and the machine; python_version stays") {
  CHECK(on_linux("triton==3.4.0; platform_system == \"Linux\" and platform_machine == \"x86_64\"") ==
        "triton==3.4.0");
  CHECK(on_linux("triton==3.4.0; platform_system == \"Linux\" and platform_machine == \"x86_64\"",
                 Architecture::aarch64) == "not asked for");
  CHECK(on_linux("cuda-bindings<14,>=13.0.3; platform_system == \"Linux\" and python_version < \"3.15\"") ==
        "cuda-bindings<14,>=13.0.3; python_version < \"3.15\"");
  CHECK(on_linux("triton (==2.1.0) ; platform_system == 'Linux'") == "triton==2.1.0");
  CHECK(on_linux("a; sys_platform == 'win32' or sys_platform == 'linux'") == "a");
  CHECK(on_linux("a; 'linux' in sys_platform") == "a");
  CHECK(on_linux("a; sys_platform not in 'linux win32'") == "not asked for");
  CHECK(on_linux("a; (os_name == 'nt' and (python_version < '3')) or implementation_name == 'cpython'") == "a");
  CHECK(on_linux("optree>=0.13.0; extra == \"optree\"") == "not asked for");
  CHECK(on_linux("nvidia-cufft==12.*; (sys_platform == 'win32' or sys_platform == 'linux') and extra == 'cufft'",
                 Architecture::x86_64, "cufft") == "nvidia-cufft==12.*");
}

TEST_CASE("a marker that cannot be settled is an error, never a guess") {
  const auto message = [](const std::string& marker) {
    return error_of(requirement_on_linux("a; " + marker, Architecture::x86_64)).message;
  };
  CHECK(message("platform_release >= '5'") ==
        "the requirement 'a; platform_release >= '5'' cannot be read: its marker depends on platform_release");
  CHECK(message("python_version < '3.9' or python_version > '3.11'")
            .ends_with("one of two ranges of Python versions"));
  CHECK(message("python_version > '3.9' and python_version < '3.11'")
            .ends_with("two clauses about the Python version"));
  CHECK(message("os_name").ends_with("its marker has no comparison"));
  CHECK(message("os_name == 'posix").ends_with("a quotation is open"));
  CHECK(message("(os_name == 'posix'").ends_with("a parenthesis is open"));
  CHECK(message("os_name == 'posix' x").ends_with("'x' follows its marker"));
  CHECK(message("os_name < 'posix'").ends_with("its marker orders os_name, which is no version"));
  CHECK(message(std::string(k_marker_depth + 1, '(') + "os_name").ends_with("its marker is nested too deep"));
}
