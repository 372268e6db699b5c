#include "unit/host/inventory.hpp"

#include <catch2/catch.hpp>

using namespace torchkiln;
using test::complaint;
using test::machines;

TEST_CASE("our own TOML has every fact with its line and column") {
  CHECK(machines("schema = \"torchkiln.hosts/1\"\n\n[[host]]\nname = \"anvil\"\ndriver = \"535.104.05\"\n"
                 "gpus = [\"8xH100\", \"sm_70\"]\narch = \"arm64\"\nglibc = \"2.17\"\n"
                 "compat = \"cuda-compat-13-0\"\nruntime = \"cdi\"\n",
                 "h.toml") ==
        "anvil; driver 535.104.05 [h.toml:5:10]; 8 x H100 (a person's word) [h.toml:6:9]; 1 x ? 7.0 (a person's "
        "word) "
        "[h.toml:6:19]; aarch64 [h.toml:7:8]; glibc 2.17 [h.toml:8:9]; compat 13.0 [h.toml:9:10]; cdi "
        "[h.toml:10:11]");
  CHECK(machines("[[host]]\nname = \"a\"\n[[host]]\nname = \"b\"\ngpus = []\n", "h") == "a\nb; no GPU [h:3:1]");
}

TEST_CASE("a slip in our own TOML is shown where it is") {
  CHECK(complaint("[[host]]\nname = \"a\"\ndrivr = \"535\"\n", "h.toml") ==
        "h.toml:3:1: unknown key \"drivr\" in [host] (did you mean \"driver\"?)");
  CHECK(complaint("[[host]]\nname = \"a\"\ndriver = 535\n", "h.toml") ==
        "h.toml:3:10: \"driver\" must be a string, not an integer");
  CHECK(
      complaint("[[host]]\nname = \"a\"\ngpus = [\"A100\", \"0xT4\"]\n", "h.toml") ==
      "h.toml:3:17: \"0xT4\" counts no number of GPUs from 1 to 4096 (GPUs are named like A100, 8xH100 or sm_90)");
  CHECK(complaint("[[host]]\ndriver = \"535\"\n", "h.toml") == "h.toml:1:1: \"name\" is missing in [host]");
  CHECK(complaint("[[host]]\nname = \"a\"\n[[host]]\nname = \"a\"\n", "h.toml") ==
        "h.toml:3:1: the host \"a\" is named twice");
  CHECK(complaint("schema = \"torchkiln.spec/1\"\n", "h.toml") ==
        "h.toml:1:10: this is no inventory of hosts: its schema is \"torchkiln.spec/1\" (the schema of an "
        "inventory is "
        "torchkiln.hosts/1)");
  CHECK(complaint("[[host]]\nname = \"a\n", "h.toml").starts_with("h.toml:2:"));
}

TEST_CASE("our own JSON is the same") {
  CHECK(
      machines(R"({"host": [{"name": "a", "driver": "535.104.05", "gpus": ["8xH100"], "arch": "x86_64",
                    "glibc": "2.17", "compat": "cuda-compat-12-8", "runtime": "legacy"}, {"name": "b", "gpus": []}]})",
               "h.json") ==
      "a; driver 535.104.05 [h.json: a: driver]; 8 x H100 (a person's word) [h.json: a: gpus]; x86_64 [h.json: a: "
      "arch]; glibc 2.17 [h.json: a: glibc]; compat 12.8 [h.json: a: compat]; legacy [h.json: a: runtime]\n"
      "b; no GPU [h.json: b: gpus]");
}

TEST_CASE("a slip in our own JSON is shown with its field") {
  CHECK(complaint(R"({"host": [{"name": "a", "gpu": ["A100"]}]})", "h.json") ==
        "h.json: host[0] has an unknown key \"gpu\" (did you mean \"gpus\"?)");
  CHECK(complaint(R"({"host": [{"name": "a", "driver": "new"}]})", "h.json") ==
        "h.json: host[0].driver is wrong: \"new\" is not a driver version");
  CHECK(complaint(R"({"host": [{"name": "a", "gpus": [4]}]})", "h.json") ==
        "h.json: host[0].gpus[0] is a number, not a string");
  CHECK(complaint(R"({"host": [{}]})", "h.json") == "h.json: host[0] lacks \"name\"");
  CHECK(complaint(R"({"host": [{"name": "a"}, {"name": "a"}]})", "h.json") ==
        "h.json: host[1].name names the host \"a\" twice");
  CHECK(complaint(R"({"host": [{"name": "a"}], "hots": 1})", "h.json") ==
        "h.json: the document has an unknown key \"hots\" (did you mean \"host\"?)");
  CHECK(complaint("{\"host\": [{\"name\": \"a\"},\n]}", "h.json").starts_with("h.json:2:1: is no valid JSON"));
}
