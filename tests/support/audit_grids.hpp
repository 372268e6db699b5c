#pragma once
// Audits to show: their judgements are made up, so that every verdict and every hostile name occurs.

#include "interface/console/audit_grid.hpp"

#include <memory>
#include <string>
#include <vector>

namespace torchkiln::test {

struct AuditSample {
  std::vector<host::Machine> hosts;
  std::vector<audit::Image> images;
  console::AuditGrid grid;
};

namespace audit_sample {

inline host::Machine machine(std::string name, const std::string& driver, std::string gpu) {
  host::Machine made;
  made.name = std::move(name);
  if (!driver.empty()) made.driver = {*version::DriverVersion::parse(driver), "--host"};
  if (!gpu.empty()) made.gpus.push_back({std::move(gpu), std::nullopt, "", 8, host::NamedBy::driver, "--host"});
  return made;
}
inline audit::Image image(std::string name, std::string source) {
  audit::Image made;
  made.name = std::move(name);
  made.source = std::move(source);
  return made;
}

/// The judgement that belongs to a verdict here; `names` occurs in every text.
inline audit::Judgement judgement(audit::Verdict verdict, const std::string& names) {
  audit::Judgement made;
  made.verdict = verdict;
  made.reasons.push_back({"driver-floor", "the reason of " + std::string(name(verdict)) + names,
                          "manifests/cuda.toml:" + std::to_string(12 + static_cast<int>(verdict))});
  if (!audit::runs(verdict)) {
    made.reasons.push_back({"kernels", "a second reason" + names, "NVML"});
    if (verdict != audit::Verdict::unknown)
      made.fixes.push_back({"driver 580.65.06 or newer" + names, "torchkiln audit --host 'driver=580.65.06'"});
  }
  if (verdict == audit::Verdict::minor_version)
    made.limitations.push_back({"torch_compile", "triton needs compute capability 7.0" + names});
  return made;
}

/// Fills in the grid; `verdict` of kinds.
inline void finish(AuditSample& sample, std::function<audit::Verdict(std::size_t, std::size_t)> verdict,
                   const std::string& names) {
  auto& grid = sample.grid;
  grid.hosts = sample.hosts;
  grid.images = sample.images;
  grid.verdict = [&grid, verdict](std::size_t host, std::size_t image) {
    return verdict(grid.kind_of_host[host], grid.kind_of_image[image]);
  };
  grid.judgement = [&grid, names](std::size_t host, std::size_t image) {
    return judgement(grid.verdict(host, image), names);
  };
  for (std::size_t host = 0; host < sample.hosts.size(); ++host)
    for (std::size_t image = 0; image < sample.images.size(); ++image)
      ++grid.counts[static_cast<std::size_t>(grid.verdict(host, image))];
  grid.data = {"2026-11-02", 19};
}

}  // namespace audit_sample

/// Three hosts, three images, as in a first try of the program.
inline std::unique_ptr<AuditSample> small_audit() {
  using namespace audit_sample;
  auto sample = std::make_unique<AuditSample>();
  sample->hosts = {machine("a", "535.104.05", "Tesla V100-SXM2-32GB"),
                   machine("b", "580.65.06", "NVIDIA H100 80GB HBM3"), machine("c", "", "")};
  sample->images = {image("pytorch 2.7.1+cu126", "--pytorch"), image("pytorch 2.11.0+cu130", "--pytorch"),
                    image("team/pytorch:2.8.0-cu128-cudnn9-py311-runtime", "deploy/kiln.lock")};
  sample->grid.kind_of_host = {0, 1, 2};
  sample->grid.kind_of_image = {0, 1, 2};
  using audit::Verdict;
  finish(
      *sample,
      [](std::size_t host, std::size_t image) {
        constexpr Verdict k_verdicts[3][3] = {
            {Verdict::minor_version, Verdict::driver_too_old, Verdict::no_kernels},
            {Verdict::direct, Verdict::direct, Verdict::direct},
            {Verdict::unknown, Verdict::unknown, Verdict::unknown}};
        return k_verdicts[host][image];
      },
      "");
  return sample;
}

/// `hosts` × `images` of `host_kinds` kinds, with every verdict.
inline std::unique_ptr<AuditSample> large_audit(std::size_t hosts, std::size_t images, std::size_t host_kinds) {
  using namespace audit_sample;
  auto sample = std::make_unique<AuditSample>();
  for (std::size_t i = 0; i < hosts; ++i) {
    auto number = std::to_string(i + 1);
    number.insert(0, number.size() < 3 ? 3 - number.size() : 0, '0');
    const auto kind = i % host_kinds;
    sample->hosts.push_back(
        machine("gpu-node" + number, std::to_string(470 + kind % 130) + ".82.01", "NVIDIA A100-SXM4-80GB"));
    sample->grid.kind_of_host.push_back(static_cast<std::uint32_t>(kind));
  }
  for (std::size_t i = 0; i < images; ++i) {
    sample->images.push_back(
        image("pytorch 2." + std::to_string(i / 3) + "." + std::to_string(i % 3) + "+cu126", "--pytorch"));
    sample->grid.kind_of_image.push_back(static_cast<std::uint32_t>(i));
  }
  finish(
      *sample,
      [](std::size_t host, std::size_t image) {
        return static_cast<audit::Verdict>((host * 7 + image * 3 + host / 5) % audit::k_verdicts);
      },
      "");
  return sample;
}

/// Names that some format could take for something else.
inline const std::vector<std::string>& hostile_names() {
  static const std::vector<std::string> k_names = {"<script>alert(1)</script>",
                                                   "a|b\\|c",
                                                   "x,y\"z",
                                                   "line\nbreak\r\nand tab\t.",
                                                   "no UTF-8: \xff\xc3\x28\xed\xa0\x80",
                                                   "=HYPERLINK(\"a\")",
                                                   "@org/team",
                                                   "\x1b[31mred\x1b[0m\x07",
                                                   "rtl \xe2\x80\xae txt",
                                                   "`tick`` [link](javascript:x) ![i](y) **b** <!-- ",
                                                   "]]> & &amp; 'quoted'",
                                                   "\\n\\\\ {a=\"b\"}",
                                                   std::string("nul\0byte", 8),
                                                   "\xef\xbf\xbf\xef\xbf\xbe",
                                                   "日本語 ünïcode 🙂",
                                                   "",
                                                   " "};
  return k_names;
}

/// Every verdict, with hostile names everywhere.
inline std::unique_ptr<AuditSample> hostile_audit() {
  using namespace audit_sample;
  auto sample = std::make_unique<AuditSample>();
  std::string all;
  for (const auto& name : hostile_names()) {
    const auto kind = static_cast<std::uint32_t>(sample->hosts.size());
    sample->hosts.push_back(machine(name, "", name));
    sample->images.push_back(image(name, "my " + name + ".lock"));
    sample->grid.kind_of_host.push_back(kind);
    sample->grid.kind_of_image.push_back(kind);
    all += " " + name;
  }
  finish(
      *sample,
      [](std::size_t host, std::size_t image) {
        return static_cast<audit::Verdict>((host + image) % audit::k_verdicts);
      },
      all);
  return sample;
}

inline std::string written(console::AuditFormat format, const console::AuditGrid& grid,
                           const console::AuditView& view = {}) {
  std::string text;
  console::write_audit(format, grid, view, [&](std::string_view piece) { text += piece; });
  return text;
}

}  // namespace torchkiln::test
