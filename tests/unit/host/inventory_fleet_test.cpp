// What other programs say of many machines: Kubernetes, Slurm, dcgm-exporter, Ansible.

#include "unit/host/inventory.hpp"

#include <catch2/catch.hpp>

using namespace torchkiln;
using test::complaint;
using test::machines;

namespace {

/// A node of kubectl with these labels and more of its members.
std::string node(const std::string& labels, const std::string& more = "") {
  return R"({"kind": "Node", "metadata": {"name": "n", "labels": {)" + labels + "}}" + more + "}";
}

}  // namespace

TEST_CASE("Kubernetes: the present labels of GPU feature discovery") {
  CHECK(machines(R"({"kind": "List", "items": [)" +
                     node(R"("kubernetes.io/arch": "amd64", "nvidia.com/cuda.driver-version.full": "575.57.08",
                             "nvidia.com/gpu.product": "NVIDIA-B200", "nvidia.com/gpu.count": "8",
                             "nvidia.com/gpu.compute.major": "10", "nvidia.com/gpu.compute.minor": "0")") +
                     "]}",
                 "k") ==
        "n; driver 575.57.08 [k: nvidia.com/cuda.driver-version.full]; 8 x NVIDIA-B200 10.0 [k: "
        "nvidia.com/gpu.product]; x86_64 [k: kubernetes.io/arch]");
}

TEST_CASE("Kubernetes: driver labels in parts, under their present and former names") {
  CHECK(
      machines(node(R"("nvidia.com/cuda.driver-version.major": "550", "nvidia.com/cuda.driver-version.minor": "107",
                         "nvidia.com/cuda.driver-version.revision": "02")"),
               "k")
          .starts_with("n; driver 550.107.02 [k: nvidia.com/cuda.driver-version.major]"));
  CHECK(machines(node(R"("nvidia.com/cuda.driver.major": "455", "nvidia.com/cuda.driver.minor": "32",
                         "nvidia.com/cuda.driver.rev": "")"),
                 "k")
            .starts_with("n; driver 455.32 [k: nvidia.com/cuda.driver.major]"));
  CHECK(
      machines(node(R"("nvidia.com/cuda.driver-version.full": "n.a")"), "k") ==
      "n; no GPU [k: no label and no capacity names one]; note: k: nvidia.com/cuda.driver-version.full: \"n.a\" is "
      "not a driver version");
}

TEST_CASE("Kubernetes: what MIG and sharing put behind a GPU's name is no part of it") {
  CHECK(machines(node(R"("nvidia.com/gpu.product": "NVIDIA-A100-SXM4-40GB-MIG-1g.5gb-SHARED",
                         "nvidia.com/gpu.count": "7", "nvidia.com/gpu.compute.major": "8",
                         "nvidia.com/gpu.compute.minor": "0")"),
                 "k") == "n; 7 x NVIDIA-A100-SXM4-40GB 8.0 [k: nvidia.com/gpu.product]");
  CHECK(machines(node(R"("nvidia.com/gpu.product": "Tesla-T4-SHARED")"), "k") ==
        "n; 1 x Tesla-T4 [k: nvidia.com/gpu.product]");
}

TEST_CASE("Kubernetes: a node without GPU says so, and one whose GPUs nobody describes too") {
  CHECK(machines(node(R"("kubernetes.io/arch": "arm64")"), "k") ==
        "n; no GPU [k: no label and no capacity names one]; aarch64 [k: kubernetes.io/arch]");
  CHECK(machines(
            node("", R"(, "status": {"capacity": {"nvidia.com/gpu": "4"}, "nodeInfo": {"architecture": "amd64"}})"),
            "k") ==
        "n; 4 x ? [k: status.capacity]; x86_64 [k: status.nodeInfo.architecture]; note: k: status.capacity offers "
        "GPUs "
        "that no label describes: GPU feature discovery has not run on this node");
}

TEST_CASE("Kubernetes: what is no list of nodes is refused") {
  CHECK(complaint(R"({"kind": "List", "items": [{"kind": "Pod", "metadata": {"name": "p"}}]})", "k") ==
        "k: items[0] is of the kind \"Pod\", not a node; use kubectl get nodes -o json");
  CHECK(complaint(R"({"kind": "List", "items": [{"kind": "Node"}]})", "k") == "k: items[0] lacks \"metadata\"");
  CHECK(complaint(R"({"kind": "List", "items": {}})", "k") == "k: items is an object, not an array");
  CHECK(complaint(R"({"items": [{"metadata": {"name": 4}}]})", "k") ==
        "k: items[0].metadata.name is a number, not a string");
  CHECK(machines(R"({"items": [{"metadata": {"name": "n", "labels": []}, "status": []}]})", "k") ==
        "n; no GPU [k: no label and no capacity names one]");
}

TEST_CASE("Slurm: every shape of a Gres text") {
  const auto gres = [](const std::string& text) {
    return machines("NodeName=n Arch=x86_64\n   Gres=" + text + "\n", "s");
  };
  const auto of = [](const std::string& gpus) { return "n" + gpus + "; x86_64 [s:1: Arch]"; };
  const std::string word = " (a person's word) [s:1: Gres]";
  CHECK(gres("gpu:a100:4") == of("; 4 x a100" + word));
  CHECK(gres("gpu:a100:4(S:0-1)") == of("; 4 x a100" + word));
  CHECK(gres("gpu:a100:2(S:0,2),gpu:v100:1(S:1)") == of("; 2 x a100" + word + "; 1 x v100" + word));
  CHECK(gres("gpu:8(S:0-3)") == of("; 8 x ?" + word));
  CHECK(gres("gpu") == of("; 1 x ?" + word));
  CHECK(gres("gpu:tesla:no_consume:4") == of("; 4 x tesla" + word));
  CHECK(gres("tmp:844G,gpu:h100:8,shard:64") == of("; 8 x h100" + word));
  CHECK(gres("gpu:a100_1g.5gb:7") == of("; 7 x a100" + word));
  CHECK(gres("gpu:nvidia_a100_3g.39gb:2") == of("; 2 x nvidia_a100" + word));
  CHECK(gres("gpu:1g.10gb:7") == of("; 7 x ?" + word));
  CHECK(gres("(null)") == of("; no GPU [s:1: Gres]"));
  CHECK(gres("gpu:a100:0") == of("; no GPU [s:1: Gres]"));
  CHECK(gres("gpu:a100:99999") ==
        of("; no GPU [s:1: Gres]") + "; note: s:1: Gres: \"gpu:a100:99999\" counts no number of GPUs");
}

TEST_CASE("Slurm: free texts of a node are no facts of it") {
  CHECK(machines(
            "NodeName=n Arch=x86_64 \n   Gres=(null)\n   NodeAddr=n\n   Reason=was Gres=gpu:9 NodeName=m [root]\n\n"
            "NodeName=m Arch=riscv64\n   Gres=gpu:t4:1\n",
            "s") ==
        "n; no GPU [s:1: Gres]; x86_64 [s:1: Arch]\n"
        "m; 1 x t4 (a person's word) [s:6: Gres]; note: s:6: Arch: there is no architecture \"riscv64\"");
  CHECK(complaint("NodeName= Arch=x86_64\n", "s") == "s:1: the name of a machine is empty");
}

TEST_CASE("Slurm: JSON names GPUs and architecture, never a driver") {
  CHECK(machines(R"json({"nodes": [{"name": "a", "architecture": "x86_64", "gres": "gpu:h100:8(S:0-1)"},
                               {"name": "b", "gres": ""}, {"name": "c", "architecture": "", "gres": null}]})json",
                 "s") ==
        "a; 8 x h100 (a person's word) [s: gres]; x86_64 [s: architecture]\nb; no GPU [s: gres]\nc; no GPU [s: "
        "gres]");
  CHECK(complaint(R"({"nodes": [{"gres": ""}]})", "s") == "s: nodes[0] lacks \"name\"");
  CHECK(complaint(R"({"nodes": [{"name": "a", "gres": 4}]})", "s") == "s: nodes[0].gres is a number, not a string");
}

TEST_CASE("dcgm: GPUs are counted once, however many series and MIG instances they have") {
  const std::string begin = "# HELP DCGM_FI_DEV_GPU_TEMP t\nDCGM_FI_DEV_GPU_TEMP{gpu=\"0\",";
  CHECK(
      machines("DCGM_FI_DEV_A{gpu=\"0\",UUID=\"GPU-1\",modelName=\"NVIDIA A30\",GPU_I_ID=\"3\",Hostname=\"n\"} 1\n"
               "DCGM_FI_DEV_A{gpu=\"0\",UUID=\"GPU-1\",modelName=\"NVIDIA A30\",GPU_I_ID=\"4\",Hostname=\"n\"} 1\n"
               "DCGM_FI_DEV_B{gpu=\"0\",UUID=\"GPU-1\",modelName=\"NVIDIA A30\",Hostname=\"n\"} 1\n"
               "DCGM_FI_DEV_B{gpu=\"1\",UUID=\"GPU-2\",modelName=\"NVIDIA A30\",Hostname=\"n\","
               "DCGM_FI_DRIVER_VERSION=\"535.183.06\"} 1\n"
               "DCGM_FI_DEV_B{gpu=\"0\",UUID=\"GPU-1\",modelName=\"Tesla T4\",Hostname=\"m\"} 1\n",
               "d") == "n; driver 535.183.06 [d:4]; 2 x NVIDIA A30 [d:1]\nm; 1 x Tesla T4 [d:5]");
}

TEST_CASE("dcgm: labels in any order, with escapes, blanks and a last comma") {
  CHECK(machines(
            "DCGM_FI_DEV_A{ DCGM_FI_DRIVER_VERSION = \"580.65.06\" , hostname=\"n\",modelName=\"a \\\"b\\\\, c}\","
            "UUID=\"GPU-1\",} 4 1395066363000\n",
            "d") == "n; driver 580.65.06 [d:1]; 1 x a \"b\\, c} [d:1]");
  CHECK(machines("DCGM_FI_DEV_A{UUID=\"GPU-1\",modelName=\"a\\nb\"} 4\n", "gpu-7.prom") ==
        "gpu-7; 1 x a?b [gpu-7.prom:1]");
}

TEST_CASE("dcgm: two drivers on one machine are a note") {
  CHECK(machines("DCGM_FI_A{Hostname=\"n\",DCGM_FI_DRIVER_VERSION=\"535.1\"} 1\n"
                 "DCGM_FI_A{Hostname=\"n\",DCGM_FI_DRIVER_VERSION=\"580.1\"} 1\n",
                 "d") ==
        "n; driver 535.1 [d:1]; note: the driver is 535.1 by d:1, but 580.1 by d:2; the first is used");
}

TEST_CASE("dcgm: a series that breaks off is shown where it does") {
  CHECK(complaint("DCGM_FI_A{Hostname=\"n\"} 1\nDCGM_FI_A{Hostname=\"n", "d") ==
        "d:2:22: this series has a label's value that does not end");
  CHECK(complaint("DCGM_FI_A{Hostname=n} 1\n", "d") == "d:1:20: this series has a label's value without quotes");
  CHECK(complaint("DCGM_FI_A{Hostname} 1\n", "d") == "d:1:11: this series has a label without a value");
  CHECK(complaint("DCGM_FI_A{a=\"b\" c=\"d\"} 1\n", "d") ==
        "d:1:17: this series lacks a comma or brace after a label");
}

TEST_CASE("Ansible: a fact cache's file, a tree's file, and several hosts by name") {
  const std::string local =
      R"("ansible_local": {"gpu": {"driver": "535.104.05", "gpus": ["4xA100"], "runtime": "legacy", "rack": 7}})";
  CHECK(machines(R"({"ansible_architecture": "x86_64", "ansible_hostname": "n", )" + local + "}", "a") ==
        "n; driver 535.104.05 [a: ansible_local.gpu: driver]; 4 x A100 (a person's word) [a: ansible_local.gpu: "
        "gpus]; "
        "x86_64 [a: ansible_architecture]; legacy [a: ansible_local.gpu: runtime]");
  CHECK(
      machines(R"({"ansible_facts": {"ansible_nodename": "n", "ansible_local": {"x": {"driver_version": "550.1"}}},
                     "changed": false})",
               "a") == "n; driver 550.1 [a: ansible_local.x: driver_version]");
  CHECK(
      machines(R"({"a.example": {"ansible_facts": {"architecture": "aarch64", "hostname": "x"}},
                     "b.example": {"ansible_architecture": "riscv64", "ansible_local": {"x": []}}, "count": 2})",
               "a") ==
      "a.example; aarch64 [a: ansible_architecture]; note: a: no fact below ansible_local names a driver or GPUs\n"
      "b.example; note: a: ansible_architecture: there is no architecture \"riscv64\"; note: a: no fact below "
      "ansible_local names a driver or GPUs");
}

TEST_CASE("Ansible: a fact cache's file since ansible-core 2.19 has the facts in a text") {
  CHECK(
      machines(
          R"({"__payload__": "{\"ansible_hostname\": \"n\", \"ansible_local\": {\"x\": {\"driver\": \"550.1\"}}}"})",
          "a") == "n; driver 550.1 [a: ansible_local.x: driver]");
  CHECK(complaint(R"({"__payload__": "{}"})", "a").starts_with("a: holds a payload that is no facts of Ansible"));
  CHECK(complaint(R"({"__payload__": "{"})", "a").starts_with("a: __payload__:1:"));
}

TEST_CASE("Ansible: a custom fact of ours that is wrong is shown with its field, another's is a note") {
  CHECK(complaint(R"({"ansible_hostname": "n", "ansible_local": {"torchkiln": {"gpus": "A100"}}})", "a") ==
        "a: ansible_local.torchkiln.gpus is a string, not an array");
  CHECK(machines(R"({"ansible_hostname": "n", "ansible_local": {"rack": {"driver": "535.1", "gpus": 4}}})", "a") ==
        "n; driver 535.1 [a: ansible_local.rack: driver]; note: a: ansible_local.rack.gpus is a number, not an "
        "array");
}
