#include "supervisor/options.hpp"

#include <charconv>
#include <optional>

namespace torchkiln::verifier {
namespace {

constexpr std::size_t k_nonce_limit = 256;
constexpr std::uint64_t k_soak_limit_s = 86400;

std::optional<Level> level_named(const std::string& name) {
  for (const auto level : {Level::boot, Level::cpu, Level::gpu, Level::multi_gpu}) {
    if (name == name_of(level)) return level;
  }
  return std::nullopt;
}

/// What is wrong with `--only id` under these options, or nothing.
std::string wrong_choice(const std::string& id, const Options& options) {
  for (const auto& test : plan(options.soak())) {
    if (test.id != id) continue;
    if (test.level <= options.level) return {};
    return "--only " + id + " is a test of level " + std::string(name_of(test.level)) + ": ask for that --level";
  }
  return "--only " + id + ": no such test; --list shows them";
}

template <typename Number>
bool is_number(const std::string& text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
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
    if (!is_number(value, options.seed)) return "--seed is a whole number, not " + value;
  } else if (name == "--soak") {
    std::uint64_t seconds = 0;
    if (!is_number(value, seconds) || seconds == 0 || seconds > k_soak_limit_s)
      return "--soak is a number of seconds, 1 to " + std::to_string(k_soak_limit_s) + ", not " + value;
    options.soak_s = static_cast<double>(seconds);
  } else {
    return "unknown option " + name;
  }
  return {};
}

}  // namespace

const char* const k_usage =
    "torchkiln-verify [--level boot|cpu|gpu|multi-gpu] [--soak SECONDS] [--nonce TEXT] [--json FILE|-] [--seed N]\n"
    "                 [--only ID]...\n"
    "torchkiln-verify --list [--level LEVEL] [--soak SECONDS]\n"
    "\n"
    "Tests the PyTorch image that it runs in, up to the level asked for (cpu if none is). One line a test goes to\n"
    "standard error, the report to --json. --list prints the plan: every test with its limit. --soak adds a test "
    "that\n"
    "keeps the devices busy and watches for results that change.\n"
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
    if (auto wrong = wrong_choice(id, options); !wrong.empty()) return wrong;
  }
  return options;
}

}  // namespace torchkiln::verifier
