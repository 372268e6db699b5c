#include "plan/plan.hpp"

#include "supervisor/options.hpp"
#include "supervisor/report.hpp"
#include "worker/fault.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <fstream>
#include <set>
#include <sstream>

using namespace torchkiln::verifier;

namespace {

std::string source(const std::string& path) {
  std::ifstream file(std::string(VERIFIER_SOURCE) + "/" + path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

TEST_CASE("ids are unique, begin with their level, and levels come in order") {
  std::set<std::string> ids;
  auto last = Level::boot;
  for (const auto& test : plan()) {
    INFO(test.id);
    CHECK(ids.insert(test.id).second);
    CHECK(test.id.rfind(std::string(name_of(test.level)) + ".", 0) == 0);
    CHECK(test.level >= last);
    last = test.level;
  }
}

TEST_CASE("every test has a limit, a time-out, and words for what it measures") {
  for (const auto& test : plan()) {
    INFO(test.id);
    CHECK_FALSE(test.measures.empty());
    CHECK(test.timeout_s > 0);
    if (const auto* limit = std::get_if<double>(&test.limit)) {
      CHECK(std::isfinite(*limit));
    } else {
      CHECK(test.compare == Compare::equals);
    }
  }
}

TEST_CASE("a need is an earlier test of the same or a lower level") {
  std::set<std::string> earlier;
  for (const auto& test : plan()) {
    for (const auto& need : test.needs) {
      INFO(test.id << " needs " << need);
      CHECK(earlier.count(need) == 1);
    }
    earlier.insert(test.id);
  }
}

TEST_CASE("all of level gpu hangs on gpu.device, and all of multi-gpu on two GPUs") {
  for (const auto& test : plan()) {
    INFO(test.id);
    const auto needs = [&](const std::string& id) {
      return std::find(test.needs.begin(), test.needs.end(), id) != test.needs.end();
    };
    if (test.level == Level::gpu && test.id != "gpu.device") CHECK(needs("gpu.device"));
    if (test.level == Level::multi_gpu && test.id != "multi-gpu.devices") CHECK(needs("multi-gpu.devices"));
  }
}

TEST_CASE("the Python program has exactly the tests that the plan gives it") {
  const auto script = source("python/verify_python.py");
  const auto table = script.substr(script.find("\nTESTS = {"), script.find("}", script.find("\nTESTS = {")));
  std::size_t planned = 0;
  for (const auto& test : plan()) {
    if (test.program != Program::python) continue;
    ++planned;
    INFO(test.id);
    CHECK(table.find("\"" + test.id + "\"") != std::string::npos);
  }
  const auto rows = table.substr(0, table.find("\n}"));
  CHECK(static_cast<std::size_t>(std::count(rows.begin(), rows.end(), ':')) == planned);
}

TEST_CASE("--list shows every test with level, needs, limit and time-out") {
  const auto document = plan_document(plan());
  CHECK(document["schema"] == "torchkiln.verifier-plan/1");
  REQUIRE(document["tests"].size() == plan().size());
  const auto& first = document["tests"][0];
  CHECK(first["id"] == "boot.user");
  CHECK(first["level"] == "boot");
  for (const char* member : {"program", "measures", "compare", "limit", "unit", "timeout_s", "needs"}) {
    INFO(member);
    CHECK(first.contains(member));
  }
}

TEST_CASE("a report of nothing has every field, null or empty where nothing is known") {
  const auto document = report_document(Report{});
  CHECK(document["schema"] == "torchkiln.verifier/1");
  CHECK(document["reached"].is_null());
  for (const char* member :
       {"torch", "torch_git", "cuda_runtime", "cuda_driver", "cudnn_runtime", "cudnn_compiled", "nccl", "python"}) {
    INFO(member);
    CHECK(document["versions"][member].is_null());
  }
  CHECK(document["host"]["gpus"] == Json::array());
  CHECK(document["tests"] == Json::array());
}

TEST_CASE("options: the defaults, every option, and both ways to give a value") {
  const auto defaults = std::get<Options>(parse_options({}));
  CHECK(defaults.level == Level::cpu);
  CHECK(defaults.seed == 1);
  const auto options = std::get<Options>(parse_options({"--level", "multi-gpu", "--nonce=a=b", "--json", "-",
                                                        "--seed", "18446744073709551615", "--only", "gpu.device"}));
  CHECK(options.level == Level::multi_gpu);
  CHECK(options.nonce == "a=b");
  CHECK(options.json == "-");
  CHECK(options.seed == UINT64_MAX);
  CHECK(options.only == std::vector<std::string>{"gpu.device"});
}

TEST_CASE("a soak test is in the plan only when it is asked for, at the level of the devices it is about") {
  const auto ids = [](const std::vector<std::string>& arguments) {
    std::set<std::string> found;
    for (const auto& test : plan(std::get<Options>(parse_options(arguments)).soak())) found.insert(test.id);
    return found;
  };
  CHECK(ids({"--level", "gpu"}).count("gpu.soak") == 0);
  CHECK(ids({"--level", "gpu", "--soak", "60"}).count("gpu.soak") == 1);
  CHECK(ids({"--level", "multi-gpu", "--soak", "60"}).count("gpu.soak") == 1);
  CHECK(ids({"--level", "cpu", "--soak", "60"}).count("cpu.soak") == 1);
  CHECK(ids({"--level", "cpu", "--soak", "60"}).count("gpu.soak") == 0);
}

TEST_CASE("every fault of the host is known to both kinds of program") {
  const auto script = source("python/verify_python.py");
  const auto program = source("worker/fault.cpp");
  const auto begin = script.find("HOST_FAULTS = (");
  std::istringstream list(script.substr(begin, script.find(")\n", begin) - begin));
  std::size_t count = 0;
  for (std::string line; std::getline(list, line);) {
    const auto quote = line.find('"');
    if (quote == std::string::npos) continue;
    ++count;
    const auto text = line.substr(quote, line.rfind('"') + 1 - quote);
    INFO(text);
    CHECK(program.find(text) != std::string::npos);
    CHECK(fault_of("CUDA error: " + text.substr(1, text.size() - 2)) == Fault::host);
  }
  CHECK(count == 14);
  CHECK(fault_of("CUDA error: an illegal memory access was encountered") == Fault::image);
}

TEST_CASE("options: what is wrong is said") {
  const auto wrong = [](const std::vector<std::string>& arguments) {
    return std::get<std::string>(parse_options(arguments));
  };
  CHECK(wrong({"--level", "static"}) == "--level is boot, cpu, gpu or multi-gpu, not static");
  CHECK(wrong({"--seed", "12x"}) == "--seed is a whole number, not 12x");
  CHECK(wrong({"--seed", "-1"}) == "--seed is a whole number, not -1");
  CHECK(wrong({"--nonce"}) == "--nonce needs a value, or is not an option");
  CHECK(wrong({"--soak", "0"}) == "--soak is a number of seconds, 1 to 86400, not 0");
  CHECK(wrong({"--soak", "86401"}) == "--soak is a number of seconds, 1 to 86400, not 86401");
  CHECK(wrong({"--colour", "red"}) == "unknown option --colour");
  CHECK(wrong({"--only", "cpu.nothing"}) == "--only cpu.nothing: no such test; --list shows them");
  CHECK(wrong({"--only", "gpu.device"}) == "--only gpu.device is a test of level gpu: ask for that --level");
  CHECK(wrong({"--nonce", std::string(257, 'x')}) == "--nonce has more than 256 bytes");
}
