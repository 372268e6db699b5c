// What `torchkiln explain` says, word for word, for each log of tests/unit/diagnosis/corpus.

#include "interface/console/explain_document.hpp"
#include "support/golden.hpp"

#include <catch2/catch.hpp>

#include <nlohmann/json.hpp>

using namespace torchkiln;
using namespace torchkiln::console;

namespace {

const Paint k_plain(Coloring::off);

std::vector<Explanation> explained(std::string_view log) {
  std::vector<Explanation> explanations;
  for (auto& finding : diagnosis::diagnose(log)) explanations.push_back({std::move(finding), {}});
  return explanations;
}

}  // namespace

TEST_CASE("every known error is explained as it was") {
  std::string text;
  for (int number = 1; number <= 22; ++number) {
    const auto file =
        std::string("unit/diagnosis/corpus/E") + (number < 10 ? "0" : "") + std::to_string(number) + ".txt";
    const auto log = test::must(sys::read_file(std::filesystem::path(TK_TEST_DATA) / file));
    text += explain_text(explained(log), k_plain, 100) + "\n";
  }
  CHECK(test::difference_to_golden("explain.text", text) == "");
}

TEST_CASE("what is not known is said, with what to send") {
  CHECK_THAT(explain_text({}, k_plain, 100), Catch::Matchers::StartsWith("no error that torchkiln knows") &&
                                                 Catch::Matchers::Contains("nvidia-smi's first lines"));
  const auto json = nlohmann::json::parse(explain_json({}));
  CHECK(json["schema"] == "torchkiln.explain/1");
  CHECK(json["status"] == "unknown");
  CHECK(json["findings"].empty());
}

TEST_CASE("an explanation's JSON has what programs rely on") {
  auto explanations = explained("x\nThe NVIDIA driver on your system is too old (found version 11000).");
  explanations[0].bearings = {{"the driver here is 470.82.01", "NVML"}};
  const auto json = nlohmann::json::parse(explain_json(explanations));
  CHECK(json["status"] == "explained");
  const auto& finding = json["findings"][0];
  CHECK(finding["id"] == "E21");
  CHECK(finding["line"] == 2);
  CHECK(finding["certain"] == true);
  CHECK(finding["details"]["driver_cuda"]["value"] == "11.0");
  CHECK(finding["this_host"][0]["source"] == "NVML");
  CHECK(finding["fixes"][0]["command"] == "torchkiln resolve --this-host");
}

TEST_CASE("a log cannot write to the terminal through its quote") {
  const auto text = explain_text(explained("Found no NVIDIA driver on your system \x9b\x07 \xff"), k_plain, 100);
  CHECK(text.find('\x9b') == std::string::npos);
  CHECK(text.find('\a') == std::string::npos);
  CHECK(nlohmann::json::accept(explain_json(explained("Found no NVIDIA driver on your system \xff"))));
}
