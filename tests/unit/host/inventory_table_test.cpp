// What describes one machine or is a table: nvidia-smi's XML, CSV.

#include "unit/host/inventory.hpp"

#include <catch2/catch.hpp>

using namespace torchkiln;
using test::complaint;
using test::machines;

TEST_CASE("nvidia-smi -q -x is the machine that its file is named after") {
  CHECK(
      machines(
          "<?xml version=\"1.0\" ?>\n<!DOCTYPE nvidia_smi_log SYSTEM \"nvsmi_device_v12.dtd\">\n"
          "<nvidia_smi_log>\n<driver_version>550.90.07</driver_version><cuda_version>12.4</cuda_version>\n"
          "<gpu id=\"00000000:07:00.0\"><product_name>NVIDIA A100-SXM4-80GB</product_name>"
          "<product_brand>NVIDIA</product_brand></gpu>\n"
          "<gpu id=\"00000000:8A:00.0\"><product_name>NVIDIA A100-SXM4-80GB</product_name>"
          "<product_brand>NVIDIA</product_brand></gpu>\n"
          "<gpu id=\"00000000:8B:00.0\"><product_name>NVIDIA L4</product_name><compute_capability><major>8</major>"
          "<minor>9</minor></compute_capability></gpu>\n</nvidia_smi_log>\n",
          "logs/anvil.xml") ==
      "anvil; driver 550.90.07 [logs/anvil.xml: driver_version]; 2 x NVIDIA A100-SXM4-80GB brand NVIDIA "
      "[logs/anvil.xml: product_name]; 1 x NVIDIA L4 8.9 [logs/anvil.xml: product_name]");
}

TEST_CASE("nvidia-smi: an old log without CUDA version, without driver, without GPU") {
  CHECK(
      machines("<nvidia_smi_log><driver_version>390.157</driver_version><gpu id=\"0000:01:00.0\">"
               "<product_name>GeForce 410M</product_name><product_brand>N/A</product_brand></gpu></nvidia_smi_log>",
               "a") == "a; driver 390.157 [a: driver_version]; 1 x GeForce 410M [a: product_name]");
  CHECK(machines("<nvidia_smi_log><driver_version>N/A</driver_version></nvidia_smi_log>", "-") ==
        "stdin; no GPU [-: no <gpu>]; note: -: names no driver version");
}

TEST_CASE("nvidia-smi: broken XML is shown where it breaks, and two logs in a file are refused") {
  CHECK(complaint("<nvidia_smi_log>\n<gpu></gpus>\n</nvidia_smi_log>", "a").starts_with("a:2:"));
  CHECK(complaint("<nvidia_smi_log></nvidia_smi_log><nvidia_smi_log></nvidia_smi_log>", "a") ==
        "a: holds more than one <nvidia_smi_log> (nvidia-smi does not name the machine: keep one file a machine, "
        "named "
        "after it)");
}

TEST_CASE("nvidia-smi: entities of the document's own are not expanded") {
  const std::string bomb =
      "<!DOCTYPE nvidia_smi_log [<!ENTITY a \"x\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">"
      "<!ENTITY c SYSTEM \"file:///etc/hostname\">]>"
      "<nvidia_smi_log><gpu><product_name>&b;&c;&amp;</product_name></gpu></nvidia_smi_log>";
  CHECK(machines(bomb, "a") == "a; 1 x &b;&c;& [a: product_name]; note: a: names no driver version");
}

TEST_CASE("CSV: a row a machine, or several rows for its GPUs") {
  CHECK(
      machines("host,driver,gpu,count,arch,glibc,compat,runtime,rack\n"
               "a,535.104.05,A100,4,x86_64,2.36,cuda-compat-13-0,cdi,\"one, two\"\n"
               "b,580.65.06,2xH100+L40S,,,,,,\r\n"
               "\n"
               "a,535.104.05,V100,1,,,,,\n"
               "c,N/A,,0,,,,,\n",
               "h.csv") ==
      "a; driver 535.104.05 [h.csv:2]; 4 x A100 (a person's word) [h.csv:2]; 1 x V100 (a person's word) [h.csv:5]; "
      "x86_64 [h.csv:2]; glibc 2.36 [h.csv:2]; compat 13.0 [h.csv:2]; cdi [h.csv:2]\n"
      "b; driver 580.65.06 [h.csv:3]; 2 x H100 (a person's word) [h.csv:3]; 1 x L40S (a person's word) [h.csv:3]\n"
      "c; no GPU [h.csv:6]");
  CHECK(machines("Name,GPU Model\na,T4\n", "h") == "a; 1 x T4 (a person's word) [h:2]");
  CHECK(machines("host,driver\na,535.1\na,580.1", "h") ==
        "a; driver 535.1 [h:2]; note: the driver is 535.1 by h:2, but 580.1 by h:3; the first is used");
}

TEST_CASE("CSV: nvidia-smi's own tables name GPUs, and the machine is their file's name") {
  CHECK(machines("driver_version, compute_cap, name, uuid\n550.90.07, 8.0, NVIDIA A100-SXM4-80GB, GPU-1\n"
                 "550.90.07, 8.0, NVIDIA A100-SXM4-80GB, GPU-2\n",
                 "anvil.csv") ==
        "anvil; driver 550.90.07 [anvil.csv:2]; 2 x NVIDIA A100-SXM4-80GB 8.0 [anvil.csv:2]");
  CHECK(machines("index, name, driver_version, memory.total [MiB]\n0, Tesla T4, [N/A], 15360 MiB\n", "m.csv") ==
        "m; 1 x Tesla T4 [m.csv:2]");
}

TEST_CASE("CSV: what is wrong is shown with line and column") {
  CHECK(complaint("host,driver\na,new\n", "h") ==
        "h:2:3: \"new\" is not a driver version (driver versions are dotted numbers such as 535.104.05, as "
        "nvidia-smi "
        "prints them)");
  CHECK(complaint("host,driver\na,535.1,x\n", "h") == "h:2:1: this row has 3 cells, the header 2");
  CHECK(complaint("host,driver\n,535.1\n", "h") == "h:2:1: this row names no host");
  CHECK(complaint("host,gpu,count\na,T4,many\n", "h") == "h:2:6: \"many\" is no number of GPUs");
  CHECK(complaint("host,driver\na,\"535.1\n", "h") == "h:2:3: this quotation does not end");
  CHECK(complaint("host,driver\n\"a\"b,535.1\n", "h") == "h:2:4: a comma must follow the closing quotation mark");
  CHECK(complaint("host,driver\n\"a\nb\",535.1\n", "h")
            .starts_with("h:2:1: the name \"a?b\" has control characters"));
  CHECK(complaint("host,driver\n\"a\n", "h") == "h:2:1: this quotation does not end");
  CHECK(complaint("host,colour\na,red\n", "h").starts_with("h: is no inventory of a known kind"));
  CHECK(complaint("host,driver\n", "h").starts_with("h: names no machine"));
}
