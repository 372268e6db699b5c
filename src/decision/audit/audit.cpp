#include "decision/audit/audit.hpp"

#include "decision/audit/fixes.hpp"
#include "decision/audit/verdicts.hpp"

#include <algorithm>
#include <iterator>
#include <unordered_map>

#include <fmt/format.h>

namespace torchkiln::audit {

std::string_view name(Verdict verdict) {
  constexpr std::array<std::string_view, k_verdicts> k_names{
      "direct",         "minor-version",       "forward-compat",  "ptx-jit",
      "driver-too-old", "gpu-not-in-driver",   "driver-mismatch", "no-gpu",
      "no-kernels",     "requirement-refused", "no-such-build",   "python-unsupported",
      "glibc-too-old",  "packages-conflict",   "cpu-only",        "unsupported-by-pytorch",
      "unknown"};
  return k_names[static_cast<std::size_t>(verdict)];
}

namespace {

/// A text that is equal exactly for values that are alike: every field with its length before it.
class Key {
 public:
  void add(std::string_view text) { fmt::format_to(std::back_inserter(m_text), "{}:{}", text.size(), text); }
  template <class T>
  void add(const std::optional<T>& value) {
    if (value)
      add(*value);
    else
      m_text += '-';
  }
  template <class T>
  void add(const host::Fact<T>& fact) {
    add(fact.value);
    add(fact.source);
  }
  void add(const version::DriverVersion& value) { add(value.to_string()); }
  void add(const version::CudaVersion& value) { add(value.to_string()); }
  void add(const version::Version& value) { add(value.to_string()); }
  void add(const version::ComputeCapability& value) { add(value.to_string()); }
  void add(matrix::Architecture value) { add(name(value)); }
  void add(host::Injection value) { add(host::name(value)); }
  std::string take() { return std::move(m_text); }

 private:
  std::string m_text;
};

/// Everything but the name.
std::string key_of(const host::Machine& machine) {
  Key key;
  key.add(machine.driver);
  key.add(machine.userland);
  for (const auto& gpus : machine.gpus) {
    key.add(gpus.model);
    key.add(gpus.compute);
    key.add(gpus.brand);
    key.add(std::to_string(gpus.count));
    key.add(gpus.source);
  }
  key.add("");
  key.add(machine.without_gpu);
  key.add(machine.architecture);
  key.add(machine.glibc);
  key.add(machine.compat_package);
  key.add(machine.injection);
  for (const auto& note : machine.notes) key.add(note);
  return key.take();
}

std::string key_of(const Image& image) {
  Key key;
  key.add(image.pytorch);
  key.add(image.build);
  key.add(image.architecture);
  key.add(image.python);
  key.add(image.glibc);
  for (const auto& package : image.packages) {
    key.add(package.name);
    key.add(package.release);
  }
  key.add("");
  for (const auto& [variable, value] : image.requirements) {
    key.add(variable);
    key.add(value);
  }
  key.add(image.source);
  return key.take();
}

/// Everything that verdicts depend on.
std::string key_of(const MachineFacts& machine) {
  Key key;
  key.add(machine.driver);
  key.add(machine.architecture);
  key.add(machine.glibc);
  key.add(machine.compat);
  key.add(std::to_string(machine.has_no_gpu * 4 + machine.is_mismatched * 2 + machine.checks_requirements));
  for (std::size_t i = 0; i < machine.gpus.size(); ++i) {
    const auto& gpu = machine.gpus[i];
    key.add(gpu ? gpu->compute.to_string() : "");
    key.add(gpu && gpu->row ? name(gpu->row->gpu_class) : "");
    key.add(gpu && gpu->row ? gpu->row->driver : std::nullopt);
    for (const auto& facts : machine.requirement_facts[i]) key.add(facts.brand);
  }
  return key.take();
}

/// The kind of every item, numbered by first appearance, and how many items each kind has.
struct Kinds {
  std::vector<std::uint32_t> of;
  std::vector<std::size_t> first;  ///< an item of each kind
  std::vector<std::uint64_t> count;
};
template <class Items>
Kinds kinds_of(const Items& items) {
  Kinds kinds;
  std::unordered_map<std::string, std::uint32_t> known;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const auto [at, is_new] = known.emplace(key_of(items[i]), static_cast<std::uint32_t>(kinds.first.size()));
    if (is_new) {
      kinds.first.push_back(i);
      kinds.count.push_back(0);
    }
    kinds.of.push_back(at->second);
    ++kinds.count[at->second];
  }
  return kinds;
}

}  // namespace

/// What a report keeps to put words together later.
struct Report::Workshop {
  Judge judge;
  std::vector<MachineFacts> machines;  ///< by kind
  std::vector<ImageFacts> images;      ///< by kind
  /// By kind of host: the newest PyTorch among the images that run there; the number of images where there is none.
  std::vector<std::size_t> best_image;
  /// By kind of host and architecture: the release that the solver would choose.
  std::vector<Newest> newest;

  explicit Workshop(const matrix::Matrix& matrix) : judge(matrix) {}
};

bool Report::all_run() const {
  std::uint64_t running = 0, all = 0;
  for (std::size_t i = 0; i < k_verdicts; ++i) {
    all += m_counts[i];
    if (runs(static_cast<Verdict>(i))) running += m_counts[i];
  }
  return running == all;
}

Judgement Report::at(std::size_t host, std::size_t image) const {
  const Workshop& shop = *m_workshop;
  const std::uint32_t host_kind = m_kind_of_host[host];
  const MachineFacts& machine = shop.machines[host_kind];
  const ImageFacts& facts = shop.images[m_kind_of_image[image]];
  const Assessment assessment = shop.judge.assess(machine, facts);
  const Pair pair{shop.judge, m_hosts[host], machine, m_images[image], facts, assessment};
  Judgement judgement;
  judgement.verdict = assessment.verdict;
  judgement.reasons = reasons_of(pair);
  judgement.limitations = limitations_of(pair);
  if (!runs(assessment.verdict)) {
    const std::size_t best = shop.best_image[host_kind];
    judgement.fixes = fixes_of(pair, shop.newest[host_kind][static_cast<std::size_t>(pair.architecture())],
                               best < m_images.size() ? &m_images[best] : nullptr);
  }
  return judgement;
}

Report audit(std::vector<host::Machine> hosts, std::vector<Image> images, const matrix::Matrix& matrix) {
  Report report;
  auto shop = std::make_shared<Report::Workshop>(matrix);
  Kinds host_kinds = kinds_of(hosts);
  Kinds image_kinds = kinds_of(images);
  for (const auto first : host_kinds.first) shop->machines.push_back(shop->judge.facts_of(hosts[first]));
  for (const auto first : image_kinds.first) shop->images.push_back(shop->judge.facts_of(images[first]));

  // The newest PyTorch first: the first that runs is the best of the images.
  std::vector<std::size_t> newest_first;
  for (std::size_t i = 0; i < shop->images.size(); ++i)
    if (images[image_kinds.first[i]].pytorch) newest_first.push_back(i);
  std::stable_sort(newest_first.begin(), newest_first.end(), [&](std::size_t a, std::size_t b) {
    return *images[image_kinds.first[a]].pytorch > *images[image_kinds.first[b]].pytorch;
  });

  // Hosts that differ in sources and names of models alone have the same verdicts.
  Verdicts verdicts(shop->judge, shop->images);
  std::unordered_map<std::string, std::size_t> known;
  const std::size_t count = shop->images.size();
  report.m_verdicts.resize(shop->machines.size() * count);
  for (std::size_t h = 0; h < shop->machines.size(); ++h) {
    const auto [like, is_new] = known.emplace(key_of(shop->machines[h]), h);
    Verdict* row = report.m_verdicts.data() + h * count;
    if (is_new) {
      verdicts.judge(shop->machines[h], row);
      shop->newest.push_back(std::all_of(row, row + count, runs) ? Newest{} : verdicts.newest());
      const auto best =
          std::find_if(newest_first.begin(), newest_first.end(), [&](auto i) { return runs(row[i]); });
      shop->best_image.push_back(best == newest_first.end() ? images.size() : image_kinds.first[*best]);
    } else {
      std::copy_n(report.m_verdicts.data() + like->second * count, count, row);
      shop->newest.push_back(shop->newest[like->second]);
      shop->best_image.push_back(shop->best_image[like->second]);
    }
    for (std::size_t i = 0; i < count; ++i)
      report.m_counts[static_cast<std::size_t>(row[i])] += host_kinds.count[h] * image_kinds.count[i];
  }
  report.m_image_kinds = count;
  report.m_kind_of_host = std::move(host_kinds.of);
  report.m_kind_of_image = std::move(image_kinds.of);
  report.m_hosts = std::move(hosts);
  report.m_images = std::move(images);
  report.m_workshop = std::move(shop);
  return report;
}

}  // namespace torchkiln::audit
