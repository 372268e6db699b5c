// Which kind a file is, and what no kind may do to us.

#include "unit/host/inventory.hpp"

#include "foundation/sys/files.hpp"

#include <catch2/catch.hpp>
#include <ctime>

using namespace torchkiln;
using test::complaint;
using test::machines;

TEST_CASE("every sample is recognised by its content, whatever its name") {
  const std::filesystem::path folder = std::string(TK_TEST_DATA) + "/fuzz/corpus/inventory";
  const std::pair<const char*, std::size_t> samples[] = {
      {"hosts.toml", 2}, {"hosts.json", 2},      {"hosts.csv", 2},         {"anvil.csv", 1},
      {"anvil.xml", 1},  {"kubernetes.json", 3}, {"slurm.txt", 2},         {"slurm.json", 2},
      {"dcgm.txt", 2},   {"ansible.json", 2},    {"ansible-host.json", 1}, {"ansible-payload.json", 1}};
  for (const auto& [name, count] : samples) {
    INFO(name);
    const auto bytes = test::must(sys::read_file(folder / name));
    const auto found = host::read_inventory(bytes, "inventory");
    REQUIRE(found);
    CHECK(found->size() == count);
    CHECK(machines("\xEF\xBB\xBF" + bytes, "inventory") == machines(bytes, "inventory"));
  }
}

TEST_CASE("what is no inventory is refused with what would be one") {
  const std::string kinds =
      " (inventories are TOML or JSON of our own, CSV, nvidia-smi -q -x, kubectl get nodes -o json, scontrol show "
      "node, "
      "dcgm-exporter metrics, Ansible facts)";
  CHECK(complaint("", "x") == "x: is empty" + kinds);
  CHECK(complaint(" \n\t", "x") == "x: is empty" + kinds);
  CHECK(complaint("hello\n", "x") == "x: is no inventory of a known kind" + kinds);
  CHECK(complaint(std::string(100, '\0'), "x") == "x: is no inventory of a known kind" + kinds);
  CHECK(complaint("{}", "x") == "x: is JSON, but of none of the known kinds" + kinds);
  CHECK(complaint("[]", "x") == "x: is JSON, but its root is no object" + kinds);
  CHECK(complaint("[{\"name\": \"a\"}]", "x") == "x: is JSON, but its root is no object" + kinds);
  CHECK(complaint("<html></html>", "x") == "x: is XML, but has no <nvidia_smi_log> (nvidia-smi -q -x writes it)");
  CHECK(complaint("==============NVSMI LOG==============\n\nDriver Version : 550.90.07\n", "x") ==
        "x: is what nvidia-smi prints for people (use the output of nvidia-smi -q -x)");
  CHECK(complaint("| NVIDIA-SMI 550.90.07    Driver Version: 550.90.07    CUDA Version: 12.4 |\n", "x") ==
        "x: is what nvidia-smi prints for people (use the output of nvidia-smi -q -x)");
  CHECK(complaint("\xFF\xFEh\0o\0", "x") == "x: is UTF-16 (save it as UTF-8)");
  CHECK(complaint("{\"items\": []}", "x") == "x: names no machine (an audit of nothing proves nothing)");
  CHECK(complaint("{\"nodes\": []}", "x") == "x: names no machine (an audit of nothing proves nothing)");
}

TEST_CASE("nesting beyond the limit is refused and ends nothing") {
  CHECK(complaint("{\"items\": " + std::string(100000, '['), "x") == "x nests deeper than 64 levels");
  std::string xml = "<nvidia_smi_log>";
  for (int i = 0; i < 200000; ++i) xml += "<gpu>";
  CHECK(complaint(xml, "x").find("no valid XML") != std::string::npos);
  for (int i = 0; i < 200000; ++i) xml += "</gpu>";
  CHECK(machines(xml + "</nvidia_smi_log>", "x.xml") ==
        "x; 1 x ? [x.xml: product_name]; note: x.xml: names no driver version");
  CHECK(complaint("[[host]]\nname = " + std::string(100000, '['), "x").find("not valid TOML") != std::string::npos);
}

TEST_CASE("time grows with the number of nodes, not with its square") {
  // The processor's time, not the clock's: other work on the machine does not count.
  const auto seconds = [](const std::string& text) {
    double least = 1e9;
    for (int i = 0; i < 3; ++i) {
      const auto begin = std::clock();
      REQUIRE(host::read_inventory(text, "nodes"));
      least = std::min(least, static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC);
    }
    return least;
  };
  const auto slurm = [](int count) {
    std::string text;
    for (int i = 0; i < count; ++i)
      text += "NodeName=n" + std::to_string(i) + " Arch=x86_64\n   Gres=gpu:a100:8\n   OS=Linux\n\n";
    return text;
  };
  const auto dcgm = [](int count) {
    std::string text;
    for (int i = 0; i < count; ++i)
      text += "DCGM_FI_DEV_GPU_TEMP{gpu=\"0\",UUID=\"GPU-" + std::to_string(i) +
              "\",modelName=\"T4\",Hostname=\"n" + std::to_string(i) +
              "\",DCGM_FI_DRIVER_VERSION=\"535.183.06\"} 40\n";
    return text;
  };
  const auto csv = [](int count) {
    std::string text = "host,driver,gpu\n";
    for (int i = 0; i < count; ++i) text += "n" + std::to_string(i) + ",535.183.06,A100\n";
    return text;
  };
  // One machine with a hundred thousand kinds of GPU, and one that is named again and again.
  const auto kinds = [](int count) {
    std::string text = "host,gpu\n";
    for (int i = 0; i < count; ++i) text += "a,model " + std::to_string(i) + "\n";
    return text;
  };
  for (const auto& make : std::vector<std::function<std::string(int)>>{slurm, dcgm, csv, kinds}) {
    // Both sizes are far beyond what a processor caches.
    const double small = seconds(make(40000));
    const double large = seconds(make(120000));
    INFO(make(1));
    CHECK(large < 6 * small);  // three times and room for noise; a square is nine times
  }
}
