#include "knowledge/spec/spec.hpp"

#include "foundation/base/digest.hpp"
#include "knowledge/spec/values.hpp"

#include <catch2/catch.hpp>

using torchkiln::base::Error;
using torchkiln::base::ErrorCode;
using torchkiln::base::Place;
using namespace torchkiln::spec;

namespace {

constexpr std::string_view k_schema = "schema = \"torchkiln.spec/1\"\n";

Spec parse_good(const std::string& text) {
  auto spec = parse(text, "kiln.toml");
  if (!spec) FAIL(spec.error().message);
  return *spec;
}

/// "kiln.toml:2:8: message (hint)" of a spec whose second line is `line`.
std::string complaint(const std::string& lines) {
  const auto spec = parse(std::string(k_schema) + lines, "kiln.toml");
  REQUIRE_FALSE(spec);
  const Error& error = spec.error();
  CHECK(error.code == ErrorCode::spec_invalid);
  std::string text = error.where ? error.where->to_string() + ": " : "";
  text += error.message;
  for (const auto& hint : error.hints) text += " (" + hint + ")";
  return text;
}

}  // namespace

TEST_CASE("a full spec is read with every value's place") {
  const Spec spec = parse_good(R"(schema = "torchkiln.spec/1"

[image]
name = "team/pytorch"
variants = ["runtime", "ssh"]

[require]
pytorch = "2.8"
python = "3.11"
cuda = ">=12.6"
cudnn = "9"
nccl = ">=2.27"
os = "debian-12"
driver = "535.104.05"
gpus = ["A100", "sm_90"]

[packages]
python = ["torchvision", "NumPy >=2,<3; python_version < '3.13'", "ray[tune, data]==2.9.*"]
system = ["git", "g++"]

[user]
name = "kiln"
uid = 1234
)");
  CHECK(spec.file == "kiln.toml");
  CHECK(spec.image.name.value == "team/pytorch");
  CHECK(spec.image.variants == std::vector<Variant>{Variant(), {Part::ssh}});
  CHECK(spec.require.pytorch->value.to_string() == "==2.8.*");
  CHECK(spec.require.pytorch->place == Place{"kiln.toml", 8, 11});
  CHECK(spec.require.cuda->value.to_string() == ">=12.6");
  CHECK(spec.require.driver->value.to_string() == "535.104.05");
  CHECK(spec.require.gpus.at(1).value == "sm_90");
  CHECK(spec.require.gpus.at(1).place == Place{"kiln.toml", 15, 17});
  CHECK(spec.python_packages.at(1).name == "numpy");
  CHECK(spec.python_packages.at(1).versions.to_string() == "<3,>=2");
  CHECK(spec.python_packages.at(1).marker == "python_version < '3.13'");
  CHECK(spec.python_packages.at(2).extras == std::vector<std::string>{"data", "tune"});
  CHECK(spec.system_packages.at(1).value == "g++");
  CHECK(spec.user.uid == 1234);
  CHECK(spec.user.gid == 1234);
}

TEST_CASE("an empty spec leaves everything to be chosen") {
  const Spec spec = parse_good(std::string(k_schema));
  CHECK_FALSE(spec.require.pytorch);
  CHECK(spec.require.gpus.empty());
  CHECK(spec.image.variants == std::vector<Variant>{Variant()});
  CHECK(spec.user.name == "kiln");
  CHECK(spec.user.uid == 1000);
}

TEST_CASE("what is wrong in a spec is told once, with place and hint") {
  struct Case {
    const char* lines;
    const char* complaint;
  };
  const Case cases[] = {
      {"[require]\npytorhc = \"2.8\"",
       "kiln.toml:3:1: unknown key \"pytorhc\" in [require] (did you mean \"pytorch\"?)"},
      {"[requires]\n", "kiln.toml:2:2: unknown key \"requires\" (did you mean \"require\"?)"},
      {"[require]\npytorch = 2.8", "kiln.toml:3:11: \"pytorch\" must be a string, not a float"},
      {"[require]\npytorch = \"two\"",
       "kiln.toml:3:11: \"two\" is not a version (versions are written as PEP 440 says, for example 2.8.0)"},
      {"[require]\npython = \"3.11.4\"",
       "kiln.toml:3:10: \"3.11.4\" is too exact: Python versions have two numbers here (write 3.11: the operating "
       "system brings the patch release)"},
      {"[require]\npython = \"3.13t\"",
       "kiln.toml:3:10: \"3.13t\": free-threaded Python is not supported (write the version without \"t\")"},
      {"[require]\ncuda = \"cu128\"",
       "kiln.toml:3:8: \"cu128\" is a build name, not a CUDA version (write \"12.8\")"},
      {"[require]\ndriver = \">=535\"",
       "kiln.toml:3:10: \">=535\": the driver is one version, the oldest that the image must run on (write "
       "\"535\")"},
      {"[require]\ndriver = \"new\"",
       "kiln.toml:3:10: \"new\" is not a driver version (driver versions are dotted numbers such as 535.104.05, as "
       "nvidia-smi prints them)"},
      {"[require]\nos = \"Debian 12\"",
       "kiln.toml:3:6: \"Debian 12\" is not the name of an operating system (write \"debian-12\")"},
      {"[require]\ngpus = \"A100\"", "kiln.toml:3:8: \"gpus\" must be an array of strings, not a string"},
      {"[require]\ngpus = [\"sm_90a\"]",
       "kiln.toml:3:9: \"sm_90a\" is an architecture-specific target, not a GPU's compute capability (write "
       "sm_90)"},
      {"[image]\nname = \"Team/PyTorch\"",
       "kiln.toml:3:8: image name \"Team/PyTorch\" is not allowed at \"Team\" (write \"team/pytorch\")"},
      {"[image]\nname = \"team/pytorch:2.8\"",
       "kiln.toml:3:8: image name \"team/pytorch:2.8\" must not have a tag or digest (leave it out: torchkiln "
       "derives "
       "the tag from the versions)"},
      {"[image]\nvariants = [\"runtme\"]",
       "kiln.toml:3:13: there is no variant \"runtme\" (did you mean \"runtime\"?)"},
      {"[image]\nvariants = [\"ssh\", \"ssh\"]", "kiln.toml:3:20: variant \"ssh\" is listed twice"},
      {"[image]\nvariants = [\"devel+ssh\", \"ssh+runtime+devel\"]",
       "kiln.toml:3:26: variant \"devel+ssh\" is listed twice"},
      {"[image]\nvariants = [\"devel+shh\"]",
       "kiln.toml:3:13: there is no variant \"shh\" (did you mean \"ssh\"?)"},
      {"[image]\nvariants = [\"everything\"]",
       "kiln.toml:3:13: there is no variant \"everything\" (variants are runtime, devel, jupyter, ssh, and several "
       "joined with \"+\")"},
      {"[image]\nvariants = [\"ssh+ssh\"]", "kiln.toml:3:13: \"ssh+ssh\" names ssh twice"},
      {"[devel]\ncuda = \"conda\"",
       "kiln.toml:3:8: \"conda\" is no source of a CUDA toolkit (sources are wheels, archives, base and none)"},
      {"[image]\nvariants = []", "kiln.toml:3:12: \"variants\" is empty (leave it out for the runtime variant)"},
      {"[packages]\npython = [\"torch==2.7\"]",
       "kiln.toml:3:11: torch is not listed among the packages: every image has it (set pytorch in [require] "
       "instead)"},
      {"[packages]\npython = [\"numpy 2\"]",
       "kiln.toml:3:11: \"numpy 2\" is not a Python requirement (write a name and, if needed, versions: numpy or "
       "numpy>=2,<3)"},
      {"[packages]\npython = [\"x @ https://user:secret@index.example/x.whl\"]",
       "kiln.toml:3:11: \"x @ https://index.example/x.whl\": packages by URL are not supported (write "
       "a "
       "name and, if needed, versions: numpy or numpy>=2,<3)"},
      {"[packages]\nsystem = [\"git=1:2.39\"]",
       "kiln.toml:3:11: \"git=1:2.39\": the version of a Debian package is chosen when locking (write \"git\")"},
      {"[packages]\nsystem = [\"Git\"]",
       "kiln.toml:3:11: \"Git\" is not the name of a Debian package (write the name of a Debian package, for "
       "example "
       "git)"},
      {"[user]\nuid = 0", "kiln.toml:3:7: uid 0 is outside 1 to 65533 (images do not run as root)"},
      {"[user]\ngid = 65534", "kiln.toml:3:7: gid 65534 is outside 1 to 65533 (rootless containers cannot map it)"},
      {"[user]\nname = \"root\"",
       "kiln.toml:3:8: the user must not be root (leave [user] out: images run as kiln, 1000)"},
      {"[user]\nname = \"0day\"",
       "kiln.toml:3:8: \"0day\" is not a user name (up to 32 lower-case letters, digits, \"_\" and \"-\", a letter "
       "first)"},
  };
  for (const auto& test : cases) CHECK(complaint(test.lines) == test.complaint);
}

TEST_CASE("a missing or unknown schema is refused before anything else") {
  auto spec = parse("[require]\npytorch = 1\n", "kiln.toml");
  REQUIRE_FALSE(spec);
  CHECK(spec.error().message == "\"schema\" is missing");
  CHECK(spec.error().hints.at(0) == "the first line must be schema = \"torchkiln.spec/1\"");
  spec = parse("schema = 'torchkiln.spec/9'\n", "kiln.toml");
  REQUIRE_FALSE(spec);
  CHECK(spec.error().message == "schema \"torchkiln.spec/9\" is not known to this torchkiln");
}

TEST_CASE("image names follow the grammar of OCI repository names") {
  for (const char* text : {"pytorch", "team/pytorch", "a/b/c", "registry.example/team/py-torch", "localhost/x",
                           "registry.example:5000/team/a__b", "x/a.b_c--d", "host:5000/a"}) {
    INFO(text);
    CHECK(parse_image_name(text));
  }
  for (const char* text : {"", "/a", "a/", "a//b", "-a", "a-", "a..b", "a___b", "a._b", "A", "a b", "a:5000",
                           "a@sha256:00", "registry.example:port/a", "registry..example/a"}) {
    INFO(text);
    CHECK_FALSE(parse_image_name(text));
  }
  CHECK(parse_image_name(std::string(255, 'a')));
  CHECK_FALSE(parse_image_name(std::string(256, 'a')));
}

TEST_CASE("overrides replace what the spec says and carry the option as their place") {
  Spec spec =
      parse_good(std::string(k_schema) + "[require]\npytorch = \"2.8\"\ncuda = \"12.8\"\ngpus = [\"V100\"]\n");
  Overrides overrides;
  overrides.pytorch = "2.7.1";
  overrides.gpus = {"A100", "sm_90"};
  overrides.variants = {"ssh", "ssh"};
  overrides.driver = "550.54.14";
  overrides.driver_source = "/proc/driver/nvidia/version";
  const auto changed = with_overrides(spec, overrides);
  REQUIRE(changed);
  CHECK(changed->require.pytorch->value.text() == "2.7.1");
  CHECK(changed->require.pytorch->place.to_string() == "--pytorch");
  CHECK(changed->require.cuda->place == Place{"kiln.toml", 4, 8});
  CHECK(changed->require.gpus.size() == 2);
  CHECK(changed->require.gpus.at(0).place.to_string() == "--gpu");
  CHECK(changed->require.driver->place.to_string() == "/proc/driver/nvidia/version");
  CHECK(changed->image.variants == std::vector<Variant>{{Part::ssh}});
}

TEST_CASE("a bad override is a usage error at its option") {
  Overrides overrides;
  overrides.cuda = "cu126";
  const auto changed = with_overrides(Spec{}, overrides);
  REQUIRE_FALSE(changed);
  CHECK(changed.error().code == ErrorCode::usage);
  CHECK(changed.error().where->to_string() == "--cuda");
  CHECK(changed.error().message == "\"cu126\" is a build name, not a CUDA version");
}

TEST_CASE("the canonical form keeps the meaning and nothing else") {
  const std::string a = canonical_json(
      parse_good(std::string(k_schema) + "# a comment\n[require]\npytorch = \"2.8\"\ngpus = [\"a100\", \"SM_90\"]\n"
                                         "[packages]\npython = [\"b\", \"A_b >= 1\"]\n"));
  const std::string b = canonical_json(
      parse_good(std::string(k_schema) + "[packages]\npython = [\"a-B>=1\", \"b\"]\n"
                                         "[require]\ngpus = [\"sm_90\", \"A100\"]\npytorch = \"==2.8.*\"\n"));
  CHECK(a == b);
  CHECK(a == R"({"schema":"torchkiln.spec/1","image":{"name":"torchkiln/pytorch","variants":["runtime"]},)"
             R"("require":{"pytorch":"==2.8.*","gpus":["a100","sm_90"]},)"
             R"("packages":{"python":["a-b>=1","b"],"system":[]},"user":{"name":"kiln","uid":1000,"gid":1000}})");
  const std::string c = canonical_json(parse_good(std::string(k_schema) + "[require]\npytorch = \"2.8.0\"\n"));
  CHECK(a != c);
}

TEST_CASE("bytes that are no UTF-8 do not stop the canonical form") {
  Spec spec;
  spec.python_packages.push_back({"x", {}, {}, "\xff", "x", {}});
  CHECK_FALSE(canonical_json(spec).empty());
}

TEST_CASE("a spec larger than the limit is refused") {
  const auto spec = parse(std::string(k_schema) + std::string((1U << 20) + 1, '\n'), "kiln.toml");
  REQUIRE_FALSE(spec);
  CHECK(spec.error().message == "the spec is larger than 1.0 MB");
}

TEST_CASE("a list longer than the limit is refused") {
  std::string gpus;
  for (int i = 0; i < 1001; ++i) gpus += "\"A100\",";
  CHECK(complaint("[require]\ngpus = [" + gpus + "]").ends_with("\"gpus\" has more than 1000 entries"));
}

TEST_CASE(
    "architecture, preference and compat package are read, and change the meaning only where they are given") {
  const auto spec =
      parse_good(std::string(k_schema) +
                 "[require]\narchitecture = \"arm64\"\nprefer = \"smallest\"\nforward_compat = true\n");
  CHECK(spec.require.architecture->value == "aarch64");
  CHECK(spec.require.prefer->value == Prefer::smallest);
  CHECK(spec.require.forward_compat->value);
  CHECK(canonical_json(spec).find(
            R"("require":{"architecture":"aarch64","prefer":"smallest","forward_compat":true})") !=
        std::string::npos);
  CHECK(complaint("[require]\nprefer = \"fastest\"\n").find("\"fastest\" is no preference") != std::string::npos);
  CHECK(complaint("[require]\narchitecture = \"riscv64\"\n").find("there is no architecture \"riscv64\"") !=
        std::string::npos);
}

TEST_CASE("the options for architecture, preference and compat package lie over the spec") {
  Overrides overrides;
  overrides.architecture = "x86_64";
  overrides.prefer = "newest";
  overrides.forward_compat = true;
  const auto spec = with_overrides(
      parse_good(std::string(k_schema) + "[require]\narchitecture = \"aarch64\"\nforward_compat = false\n"),
      overrides);
  REQUIRE(spec);
  CHECK(spec->require.architecture->value == "x86_64");
  CHECK(spec->require.architecture->place.to_string() == "--arch");
  CHECK(spec->require.prefer->value == Prefer::newest);
  CHECK(spec->require.forward_compat->value);
}

TEST_CASE("a variant is a set of parts, written in any order and shown in one") {
  const auto named = [](std::string_view text) {
    const auto variant = parse_variant(text);
    return variant ? name(*variant) + " " + tag_name(*variant) : variant.error().message;
  };
  CHECK(named("runtime") == "runtime runtime");
  CHECK(named("ssh") == "ssh ssh");
  CHECK(named("runtime+ssh") == "ssh ssh");
  CHECK(named("ssh+jupyter+devel") == "devel+jupyter+ssh devel-jupyter-ssh");
  CHECK(named("") == "there is no variant \"\"");
  CHECK(named("ssh+") == "there is no variant \"\"");
  CHECK(Variant{Part::ssh, Part::devel}.parts() == std::vector<Part>{Part::devel, Part::ssh});
  CHECK(Variant().is_runtime());
  CHECK(Variant{Part::devel}.has_any_of({Part::devel, Part::ssh}));
  CHECK_FALSE(Variant().has_any_of({Part::devel, Part::ssh}));
}

TEST_CASE("the verifier, bytecode and the toolkit's source change the meaning only where they are given") {
  const auto spec = parse_good(std::string(k_schema) + "[image]\nverifier = false\n[devel]\ncuda = \"wheels\"\n");
  CHECK_FALSE(spec.image.verifier);
  CHECK(spec.devel.cuda->value == ToolkitSource::wheels);
  CHECK(canonical_json(spec).find(R"("variants":["runtime"],"verifier":false})") != std::string::npos);
  CHECK(canonical_json(spec).ends_with(R"("devel":{"cuda":"wheels"}})"));
  CHECK(canonical_json(parse_good(std::string(k_schema) + "[image]\nverifier = true\nbytecode = false\n")) ==
        canonical_json(parse_good(std::string(k_schema))));
  const auto compiled = parse_good(std::string(k_schema) + "[image]\nbytecode = true\n");
  CHECK(compiled.image.bytecode);
  CHECK(canonical_json(compiled).find(R"("bytecode":true)") != std::string::npos);
}

TEST_CASE("a spec on top of another has all that one says: packages and GPUs add up, the rest is replaced") {
  const Spec below = parse_good(R"(schema = "torchkiln.spec/1"
[image]
name = "team/pytorch"
variants = ["runtime", "ssh"]
[require]
pytorch = "2.8"
driver = "535.104.05"
gpus = ["A100"]
[packages]
python = ["numpy"]
system = ["git"]
[user]
name = "ada"
)");
  const auto spec = parse(R"(schema = "torchkiln.spec/1"
extends = "../team/kiln.toml"
[image]
name = "team/vision"
variants = ["runtime"]
[require]
gpus = ["V100"]
driver = "550.54.14"
[packages]
python = ["timm"]
system = ["ffmpeg"]
)",
                          "vision/kiln.toml", below);
  REQUIRE(spec);
  CHECK(spec->file == "vision/kiln.toml");
  CHECK(spec->extends->value == "../team/kiln.toml");
  CHECK(spec->image.name.value == "team/vision");
  CHECK(spec->image.variants == std::vector<Variant>{Variant()});
  CHECK(spec->require.pytorch->value.text() == "2.8");
  CHECK(spec->require.driver->value.to_string() == "550.54.14");
  REQUIRE(spec->require.gpus.size() == 2);
  CHECK(spec->require.gpus[1].value == "V100");
  REQUIRE(spec->python_packages.size() == 2);
  CHECK(spec->python_packages[1].name == "timm");
  REQUIRE(spec->system_packages.size() == 2);
  CHECK(spec->system_packages[1].value == "ffmpeg");
  CHECK(spec->user.name == "ada");
}

TEST_CASE("what is below a spec is part of its meaning") {
  const std::string text =
      "schema = \"torchkiln.spec/1\"\nextends = \"base.toml\"\n[packages]\npython = [\"timm\"]\n";
  Spec below = parse_good(std::string(k_schema));
  const auto first = canonical_json(*parse(text, "kiln.toml", below));
  CHECK(first == canonical_json(*parse(text + "# a comment\n", "kiln.toml", below)));
  below.require.prefer = Placed<Prefer>{Prefer::newest, {}};
  CHECK(first != canonical_json(*parse(text, "kiln.toml", below)));
  // The same by itself is another image: it has not the layers of one below.
  const std::string alone = "schema = \"torchkiln.spec/1\"\n[packages]\npython = [\"timm\"]\n";
  CHECK(first != canonical_json(parse_good(alone)));
}

TEST_CASE("extends must name something") {
  CHECK(complaint("extends = \"\"\n") ==
        "kiln.toml:2:11: \"extends\" is empty (name the spec that this one extends)");
}

TEST_CASE("a base is an image with its system, and a Python with its digest") {
  const std::string digest(64, 'a');
  const Spec spec =
      parse_good(std::string(k_schema) +
                 "[require]\nos = \"ubuntu-24.04\"\n[base]\nimage = \"registry.example/ubuntu:24.04\"\n"
                 "[base.python]\nversion = \"3.12\"\nurl = \"https://files.example/p.tar.gz\"\nsha256 = \"" +
                 digest + "\"\n");
  CHECK(spec.base.image->value == "registry.example/ubuntu:24.04");
  CHECK(spec.base.image->place.line == 5);
  CHECK(spec.base.python->version.value == "3.12");
  CHECK(spec.base.python->digest.hex() == digest);
  CHECK(canonical_json(spec).find("\"base\":{\"image\":\"registry.example/ubuntu:24.04\"") != std::string::npos);
}

TEST_CASE("what goes only with something else is refused without it") {
  CHECK(complaint("[base]\nimage = \"oci:base\"\n") ==
        "kiln.toml:3:9: nothing says which system the base image has (say it in [require]: os = \"ubuntu-24.04\")");
  CHECK(complaint("[devel]\ncuda = \"base\"\n") ==
        "kiln.toml:3:8: cuda = \"base\" takes the CUDA toolkit from the base image, and there is none (name it in "
        "[base], or take the toolkit from \"archives\" or \"wheels\")");
  CHECK(complaint("[base.python]\nversion = \"3.12.1\"\n") ==
        "kiln.toml:3:11: \"3.12.1\" is not a minor version of Python (write it like 3.12)");
  CHECK(complaint("[base.python]\nurl = \"ftp://x\"\n") ==
        "kiln.toml:3:7: \"ftp://x\" is not an address (write it like https://files.example/python.tar.gz)");
  CHECK(complaint("extends = \"x\"\n[base]\nimage = \"oci:base\"\n")
            .starts_with("kiln.toml:3:1: [base] is decided by the spec below"));
}
