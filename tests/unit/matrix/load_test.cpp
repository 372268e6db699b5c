#include "knowledge/matrix/load.hpp"

#include "foundation/sys/files.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace torchkiln;
using matrix::ManifestFile;

namespace {

constexpr std::string_view k_head = "schema = \"torchkiln.matrix/1\"\n";
constexpr std::string_view k_from = "source = \"s\"\ngrade = \"measured\"\ndate = 2026-11-21\n";

base::Result<matrix::Matrix> read(const std::string& rows) {
  return matrix::read({{"a.toml", std::string(k_head) + rows}}, "manifests");
}

/// "manifests/a.toml:3:8: message (hint)".
std::string complaint(const std::string& rows) {
  const auto loaded = read(rows);
  REQUIRE_FALSE(loaded);
  CHECK(loaded.error().code == base::ErrorCode::matrix_invalid);
  std::string text = loaded.error().where->to_string() + ": " + loaded.error().message;
  for (const auto& hint : loaded.error().hints) text += " (" + hint + ")";
  return text;
}

std::string build_row(const std::string& changed_lines) {
  return "[[build]]\npytorch = [\"2.8.0\"]\nvariant = \"cu128\"\narchitecture = \"x86_64\"\nindex = \"default\"\n"
         "status = \"stable\"\ncuda = \"12.8\"\npython = [\"3.11\"]\nglibc = \"2.28\"\n" +
         changed_lines + std::string(k_from);
}

}  // namespace

TEST_CASE("a build row is read with everything it says") {
  const auto loaded = read(
      "[[build]]\n"
      "pytorch = [\"2.8.0\", \"2.8.1\"]\n"
      "variant = \"cu128\"\narchitecture = \"aarch64\"\nindex = \"pytorch\"\n"
      "status = \"experimental\"\ncuda = \"12.8\"\ncudnn = \"9.10.2.21\"\nnccl = \"2.27.3\"\n"
      "python = [\"3.11\", \"3.13t\"]\nglibc = \"2.28\"\ncxx11_abi = true\n"
      "sass = [\"9.0\", \"10.0\"]\nptx = [\"12.0\"]\nwheel_bytes = 888\n"
      "requirements = [\"triton==3.4.0\"]\n"
      "source = \"wheel\"\ngrade = \"documented\"\ndate = 2026-11-21\nnote = \"n\"\n");
  REQUIRE(loaded);
  REQUIRE(loaded->builds.size() == 2);
  const matrix::Build& build = loaded->builds[1];
  CHECK(build.full_version().to_string() == "2.8.0+cu128");
  CHECK(loaded->builds[0].full_version().to_string() == "2.8.1+cu128");
  CHECK(build.architecture == matrix::Architecture::aarch64);
  CHECK(build.status == matrix::Status::experimental);
  CHECK(build.cudnn->to_string() == "9.10.2.21");
  CHECK(build.has_python("3.13t"));
  CHECK(build.cxx11_abi == true);
  CHECK(build.sass->at(1).to_string() == "10.0");
  CHECK(build.ptx.at(0).to_string() == "12.0");
  CHECK(build.wheel_bytes == 888U);
  CHECK(build.from.place.to_string() == "manifests/a.toml:2");
  CHECK(build.from.source == "wheel");
  CHECK(build.from.grade == matrix::Grade::documented);
  CHECK(build.from.note == "n");
  CHECK(loaded->date == "2026-11-21");
}

TEST_CASE(
    "a broken row is read with its conditions, and one without a condition on the build is about all builds") {
  const auto loaded = read(
      "[[broken]]\nwhat = \"w\"\npytorch = \">=2.9,<2.14\"\nvariants = [\"cu129\"]\nindex = \"pytorch\"\n"
      "architecture = \"x86_64\"\ncompute = \">=10.0\"\npython = \"3.13\"\npackage = \"torchvision\"\n"
      "versions = \"<0.29\"\n" +
      std::string(k_from) + "[[broken]]\nwhat = \"v\"\n" + std::string(k_from));
  REQUIRE(loaded);
  REQUIRE(loaded->broken.size() == 2);
  const matrix::Broken& row = loaded->broken[0];
  CHECK(row.compute->contains(version::Version::of({12, 0})));
  CHECK(row.versions.contains(version::Version::of({0, 28})));
  matrix::Build build;
  build.pytorch = version::Version::of({2, 9, 1});
  build.variant = "cu129";
  build.index = "pytorch";
  build.cuda = version::CudaVersion{12, 9, 0};
  CHECK(row.is_about(build));
  build.index = "default";
  CHECK_FALSE(row.is_about(build));
  CHECK(loaded->broken[1].is_about(build));
  CHECK_FALSE(loaded->broken[1].compute);
}

TEST_CASE("tombstones and NCCL ranges are read") {
  const auto loaded =
      read("[[tombstone]]\nimage = \"a/b\"\ntag = \"1.*\"\ngone = \"2023-07\"\ninstead = \"a/b:2.0\"\n" +
           std::string(k_from) +
           "[[nccl]]\nfirst = \"2.13.4\"\nlast = \"2.21.5\"\ncuda_major = 11\ncompute = [\"7.0\"]\n" +
           std::string(k_from));
  REQUIRE(loaded);
  CHECK(loaded->tombstones.at(0).gone == "2023-07");
  CHECK(loaded->nccls.at(0).last.to_string() == "2.21.5");
  CHECK(loaded->nccls.at(0).compute.size() == 1);
}

TEST_CASE("a list of architectures that nobody knows is not an empty one") {
  CHECK_FALSE(read(build_row(""))->builds[0].sass.has_value());
  CHECK(read(build_row("sass = []\n"))->builds[0].sass->empty());
}

TEST_CASE("bad manifests are refused at their place") {
  const std::pair<std::string, const char*> cases[] = {
      {"[[gpu]]\nmodel = \"A100\"\n", "manifests/a.toml:2:1: \"compute\" is missing in [gpu]"},
      {build_row("sas = []\n"), "manifests/a.toml:11:1: unknown key \"sas\" in [build] (did you mean \"sass\"?)"},
      {build_row("sass = [\"sm_90a\"]\n"),
       "manifests/a.toml:11:9: \"sm_90a\" is an architecture-specific target, not a GPU's compute capability "
       "(write "
       "sm_90)"},
      {build_row("wheel_bytes = 0\n"),
       "manifests/a.toml:11:15: \"wheel_bytes\" must be from 1 to 9223372036854775807"},
      {"[[release]]\npytorch = \"2.8.0\"\nreleased = \"2025-08-06\"\n" + std::string(k_from),
       "manifests/a.toml:4:12: \"released\" must be a date (2026-11-21, without quotes), not a string"},
      {"[[release]]\npytorch = \"2.8.0\"\nreleased = 2025-08-06\nsource = \"s\"\ngrade = \"guess\"\ndate = "
       "2026-11-21\n",
       "manifests/a.toml:6:9: \"guess\" is no value of \"grade\" (values are measured, documented, derived)"},
      {"[[release]]\npytorch = \"2.8.0\"\nreleased = 2025-08-06\nsource = \"s\"\ngrade = \"measured\"\n",
       "manifests/a.toml:2:1: \"date\" is missing in [release]"},
      {"[[toolkit]]\ncuda = \"12.8\"\ndriver = \"570x\"\n" + std::string(k_from),
       "manifests/a.toml:4:10: \"570x\" is not a driver version (driver versions are dotted numbers such as "
       "535.104.05, as nvidia-smi prints them)"},
      {"[[branch]]\nbranch = 535\nkind = \"long-term\"\nend_of_life = \"2026\"\n" + std::string(k_from),
       "manifests/a.toml:5:15: \"2026\" is not a month (write 2026-06)"},
      {"[[forward_compat]]\ncuda = \"13.0\"\nbranches = [\"535\"]\n" + std::string(k_from),
       "manifests/a.toml:4:13: \"branches\" must be an array of integers, not a string"},
      {"[[wheels]]\n",
       "manifests/a.toml:2:3: unknown key \"wheels\" (known keys are branch, broken, build, companion, "
       "cudnn, family, first_driver, forward_compat, gpu, metapackage, nccl, proof, release, schema, source, "
       "system, targets, tombstone, toolkit)"},
  };
  for (const auto& [rows, expected] : cases) CHECK(complaint(rows) == expected);
}

TEST_CASE("a manifest without or with another schema is refused") {
  auto loaded = matrix::read({{"a.toml", "[[gpu]]\n"}}, "m");
  REQUIRE_FALSE(loaded);
  CHECK(loaded.error().message == "\"schema\" is missing");
  loaded = matrix::read({{"a.toml", "schema = \"torchkiln.matrix/2\"\n"}}, "m");
  REQUIRE_FALSE(loaded);
  CHECK(loaded.error().message == "schema \"torchkiln.matrix/2\" is not known to this torchkiln");
}

TEST_CASE("the revision changes with any byte and any file name, and with nothing else") {
  const auto revision = [](std::vector<ManifestFile> files) { return matrix::read(files, "m")->revision; };
  const std::string text(k_head);
  const auto first = revision({{"a.toml", text}, {"b.toml", text}});
  CHECK(first == revision({{"a.toml", text}, {"b.toml", text}}));
  CHECK(first != revision({{"a.toml", text}, {"c.toml", text}}));
  CHECK(first != revision({{"a.toml", text + "#"}, {"b.toml", text}}));
  CHECK(first != revision({{"a.toml", text}}));
}

TEST_CASE("load reads every manifest of a folder and names the folder's file in an error") {
  auto folder = sys::TemporaryDirectory::create(std::filesystem::temp_directory_path(), "tk-matrix-");
  REQUIRE(folder);
  const auto path = folder->path() / "manifests";
  REQUIRE(sys::make_directories(path));
  auto loaded = matrix::load(path);
  REQUIRE_FALSE(loaded);
  CHECK(loaded.error().message == "the folder has no *.toml manifests");
  REQUIRE(sys::write_file(path / "b.toml", std::string(k_head) + build_row("")));
  REQUIRE(sys::write_file(path / "notes.md", "not a manifest"));
  loaded = matrix::load(path / "");
  REQUIRE(loaded);
  CHECK(loaded->builds.size() == 1);
  CHECK(loaded->builds[0].from.place.to_string() == "manifests/b.toml:2");
  REQUIRE(sys::write_file(path / "c.toml", "schema = 1\n"));
  loaded = matrix::load(path);
  REQUIRE_FALSE(loaded);
  CHECK(loaded.error().where->to_string() == (path / "c.toml").string() + ":1:10");
  CHECK_FALSE(matrix::load(folder->path() / "missing"));
}

TEST_CASE("builds are ordered newest first, the default index first, stable first, newest CUDA first") {
  std::string rows;
  const auto add = [&](const char* pytorch, const char* variant, const char* cuda, const char* index,
                       const char* status) {
    rows += std::string("[[build]]\npytorch = [\"") + pytorch + "\"]\nvariant = \"" + variant +
            "\"\narchitecture = \"x86_64\"\nindex = \"" + index + "\"\nstatus = \"" + status + "\"\ncuda = \"" +
            cuda + "\"\npython = [\"3.11\"]\nglibc = \"2.28\"\n" + std::string(k_from);
  };
  add("2.8.0", "cu129", "12.9", "pytorch", "experimental");
  add("2.8.0", "cu126", "12.6", "pytorch", "stable");
  add("2.10.0", "cu118", "11.8", "pytorch", "unadvertised");
  add("2.8.0", "cu128", "12.8", "default", "stable");
  add("2.8.0", "cu130", "13.0", "pytorch", "stable");
  const auto loaded = read(rows);
  REQUIRE(loaded);
  std::vector<std::string> order;
  for (const auto& build : loaded->builds) order.push_back(build.full_version().to_string());
  CHECK(order ==
        std::vector<std::string>{"2.10.0+cu118", "2.8.0+cu128", "2.8.0+cu130", "2.8.0+cu126", "2.8.0+cu129"});
}
