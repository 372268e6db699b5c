// Prints the verifier's plan as `torchkiln-verify --list` does, as far as an image is held against it; for stand-ins.

#include <cstdio>
#include <variant>

#include <nlohmann/json.hpp>
#include <verifier/plan/plan.hpp>

using namespace torchkiln::verifier;

int main() {
  auto tests = nlohmann::json::array();
  for (const auto& test : plan()) {
    nlohmann::json limit;
    std::visit([&limit](const auto& value) { limit = value; }, test.limit);
    tests.push_back({{"id", test.id},
                     {"level", name_of(test.level)},
                     {"compare", name_of(test.compare)},
                     {"limit", limit}});
  }
  std::puts(nlohmann::json({{"schema", "torchkiln.verifier-plan/1"}, {"tests", tests}}).dump().c_str());
  return 0;
}
