#include "decision/audit/nvidia_require.hpp"

#include "unit/audit/audit_fixture.hpp"

using torchkiln::audit::NvidiaRequirement;
using torchkiln::audit::RequirementFacts;
using Answer = NvidiaRequirement::Answer;

namespace {

Answer ask(std::string_view text, const RequirementFacts& facts) {
  return NvidiaRequirement::parse(text).ask(facts);
}

const RequirementFacts k_v100{"12.4", "550.127.05", "7.0", "Tesla"};

}  // namespace

TEST_CASE("spaces are or, commas are and") {
  CHECK(ask("cuda>=12.4", k_v100) == Answer::met);
  CHECK(ask("cuda>=12.5", k_v100) == Answer::unmet);
  CHECK(ask("cuda>=12.5 brand=tesla", k_v100) == Answer::met);
  CHECK(ask("cuda>=12.5,brand=tesla", k_v100) == Answer::unmet);
  CHECK(ask("cuda>=13 brand=tesla,driver>=550,driver<551", k_v100) == Answer::met);
  CHECK(ask("cuda>=13 brand=tesla,driver>=535,driver<536", k_v100) == Answer::unmet);
  CHECK(ask("  cuda>=12.4   ", k_v100) == Answer::met);
  CHECK(ask("cuda>=12.4,,", k_v100) == Answer::met);
  CHECK(ask("", k_v100) == Answer::met);
}

TEST_CASE("versions are compared number by number, missing ones as zero") {
  CHECK(ask("driver>=550", k_v100) == Answer::met);
  CHECK(ask("driver<=550", k_v100) == Answer::unmet);
  CHECK(ask("driver<551", k_v100) == Answer::met);
  CHECK(ask("driver>550.54", k_v100) == Answer::met);
  CHECK(ask("driver=550.127.5", k_v100) == Answer::met);
  CHECK(ask("driver!=550.127.05", k_v100) == Answer::unmet);
  CHECK(ask("cuda=12.4.0", k_v100) == Answer::met);
  CHECK(ask("cuda<12.10", k_v100) == Answer::met);
  CHECK(ask("arch>=7", k_v100) == Answer::met);
  CHECK(ask("arch>7.0", k_v100) == Answer::unmet);
  CHECK(ask("arch<10.0", k_v100) == Answer::met);
  CHECK(ask("cuda>=12..4.", k_v100) == Answer::met);
}

TEST_CASE("brands and properties are told by their letters alone, whatever their case") {
  CHECK(ask("brand=TESLA", k_v100) == Answer::met);
  CHECK(ask("BRAND=tesla", k_v100) == Answer::met);
  CHECK(ask("brand!=geforce", k_v100) == Answer::met);
  CHECK(ask("brand=nvidiartx", {"", "", "", "NVIDIA RTX"}) == Answer::met);
  CHECK(ask("brand=nvidia", {"", "", "", "NVIDIA RTX"}) == Answer::unmet);
}

TEST_CASE("a lone exclamation mark is taken as not equal, as the runtime does") {
  CHECK(ask("brand!tesla", k_v100) == Answer::unmet);
  CHECK(ask("brand!geforce", k_v100) == Answer::met);
}

TEST_CASE("what is malformed is named, and refuses only where the runtime comes to it") {
  const std::pair<const char*, const char*> malformed[] = {
      {"cuda", "\"cuda\": there is no comparison in it"},
      {"cuda>=", "\"cuda>=\": the value is missing"},
      {"cuda==12.4", "\"cuda==12.4\": there is no comparison =="},
      {"cuda=>12.4", "\"cuda=>12.4\": there is no comparison =>"},
      {">=12.4", "\">=12.4\": there is no property \"\", only cuda, driver, arch and brand"},
      {"cudnn>=9", "\"cudnn>=9\": there is no property \"cudnn\", only cuda, driver, arch and brand"},
      {"cuda>=12.x", "\"cuda>=12.x\": \"12.x\" is not a version"},
      {"cuda>=.4", "\"cuda>=.4\": \".4\" is not a version"},
      {"cuda>=-1", "\"cuda>=-1\": \"-1\" is not a version"},
      {"brand>=tesla", "\"brand>=tesla\": brands are only compared with = and !="}};
  for (const auto& [text, fault] : malformed) {
    INFO(text);
    const auto requirement = NvidiaRequirement::parse(text);
    CHECK(requirement.ask(k_v100) == Answer::malformed);
    CHECK(requirement.faults() == std::vector<std::string>{fault});
  }
  CHECK(ask("cuda>=12.0 nonsense", k_v100) == Answer::met);
  CHECK(ask("cuda>=13,nonsense brand=tesla", k_v100) == Answer::met);
  CHECK(ask("cuda>=13 nonsense brand=tesla", k_v100) == Answer::malformed);
}

TEST_CASE("a requirement longer than the limit is malformed, one at the limit is read") {
  const std::string at_limit = "cuda>=12" + std::string((64U << 10) - 8, ' ');
  CHECK(ask(at_limit, k_v100) == Answer::met);
  CHECK(ask(at_limit + " ", k_v100) == Answer::malformed);
}

TEST_CASE("what is not known decides only where it matters") {
  const RequirementFacts no_brand{"12.4", "550.127.05", "7.0", ""};
  CHECK(ask("cuda>=12.4 brand=tesla", no_brand) == Answer::met);
  CHECK(ask("brand=tesla cuda>=12.4", no_brand) == Answer::met);
  CHECK(ask("cuda>=13 brand=tesla", no_brand) == Answer::unknown);
  CHECK(ask("cuda>=13 brand=tesla,driver<550", no_brand) == Answer::unmet);
  CHECK(ask("cuda>=13 brand=tesla nonsense", no_brand) == Answer::unknown);
  CHECK(ask("cuda>=13", {}) == Answer::unknown);
}

TEST_CASE("the vectors of the official strings") {
  const auto of_12_8 = torchkiln::requirement_of_cuda_12_8();
  CHECK(ask(of_12_8, {"12.4", "550.127.05", "7.0", "tesla"}) == Answer::met);      // V100
  CHECK(ask(of_12_8, {"12.4", "550.54.15", "7.5", "nvidia"}) == Answer::met);      // T4
  CHECK(ask(of_12_8, {"12.4", "550.144.03", "8.6", "geforce"}) == Answer::unmet);  // RTX 3090
  CHECK(ask(of_12_8, {"12.8", "570.26", "8.6", "geforce"}) == Answer::met);
  CHECK(ask(of_12_8, {"12.5", "555.42", "7.0", "tesla"}) == Answer::unmet);
  const std::string of_11_6 =
      "cuda>=11.6 brand=tesla,driver>=418,driver<419 brand=tesla,driver>=450,driver<451 "
      "brand=tesla,driver>=470,driver<471 brand=unknown,driver>=470,driver<471";
  CHECK(ask(of_11_6, {"11.0", "450.80.02", "7.0", "tesla"}) == Answer::met);
  CHECK(ask(of_11_6, {"11.0", "450.80.02", "7.5", "nvidia"}) == Answer::unmet);
}
