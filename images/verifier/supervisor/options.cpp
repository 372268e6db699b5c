#include "supervisor/options.hpp"

#include <charconv>
#include <optional>

namespace torchkiln::verifier {
namespace {

constexpr std::size_t k_nonce_limit = 256;

std::optional<Level> level_named(const std::string& name) {
  for (const auto level : {Level::boot, Level::cpu, Level::gpu, Level::multi_gpu}) {
    if (name == name_of(level)) return level;
  }
  return std::nullopt;
}

/// What is wrong with `--only id` under this level, or nothing.
std::string wrong_choice(const std::string& id, Level level) {
  for (const auto& test : plan()) {
    if (test.id != id) continue;
    if (test.level <= level) return {};
    return "--only " + id + " is a test of level " + std::string(name_of(test.level)) + ": ask for that --level";
  }
  return "--only " + id + ": no such test; --list shows them";
}

/// Sets one option with a value; what is wrong with it, or nothing.
std::string set(Options& options, const std::string& name, const std::string& value) {
  if (name == "--level") {
    const auto level = level_named(value);
    if (!level) return "--level is boot, cpu, gpu or multi-gpu, not " + value;
    options.level = *level;
  } else if (name == "--nonce") {
    if (value.size() > k_nonce_limit) return "--nonce has more than " + std::to_string(k_nonce_limit) + " bytes";
    options.nonce = value;
  } else if (name == "--json") {
    options.json = value;
  } else if (name == "--only") {
    options.only.push_back(value);
  } else if (name == "--seed") {
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), options.seed);
    if (error != std::errc() || end != value.data() + value.size()) return "--seed is a whole number, not " + value;
  } else {
    return "unknown option " + name;
  }
  return {};
}

}  // namespace

const char* const k_usage =
    "torchkiln-verify [--level boot|cpu|gpu|multi-gpu] [--nonce TEXT] [--json FILE|-] [--seed N] [--only ID]...\n"
    "torchkiln-verify --list\n"
    "\n"
    "Tests the PyTorch image that it runs in, up to the level asked for (cpu if none is). One line a test goes to\n"
    "standard error, the report to --json. --list prints the plan: every test with its limit.\n"
    "Exit status: 0 the level is reached: every planned test of it and of the levels below passed; 1 it is not "
    "(always\n"
    "so under --only, which leaves tests out); 2 usage; 3 the report cannot be written; 130 interrupted.\n";

std::variant<Options, std::string> parse_options(const std::vector<std::string>& arguments) {
  Options options;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    auto name = arguments[i];
    if (name == "--help" || name == "-h") {
      options.task = Options::Task::help;
    } else if (name == "--list") {
      options.task = Options::Task::list;
    } else if (name == "--run-boot-tests") {  // how the supervisor starts itself as a test program
      options.task = Options::Task::run_boot_tests;
    } else {
      std::string value;
      if (const auto equals = name.find('='); equals != std::string::npos) {
        value = name.substr(equals + 1);
        name.resize(equals);
      } else if (++i < arguments.size()) {
        value = arguments[i];
      } else {
        return name + " needs a value, or is not an option";
      }
      if (auto wrong = set(options, name, value); !wrong.empty()) return wrong;
    }
  }
  for (const auto& id : options.only) {
    if (auto wrong = wrong_choice(id, options.level); !wrong.empty()) return wrong;
  }
  return options;
}

}  // namespace torchkiln::verifier
