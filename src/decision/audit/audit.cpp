#include "decision/audit/audit.hpp"

#include "decision/audit/fixes.hpp"

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
    judgement.fixes = fixes_of(pair, newest_running(shop.judge, machine, pair.architecture()),
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

  report.m_verdicts.reserve(shop->machines.size() * shop->images.size());
  for (std::size_t h = 0; h < shop->machines.size(); ++h) {
    std::size_t best = images.size();
    for (std::size_t i = 0; i < shop->images.size(); ++i) {
      const Verdict verdict = shop->judge.assess(shop->machines[h], shop->images[i]).verdict;
      report.m_verdicts.push_back(verdict);
      report.m_counts[static_cast<std::size_t>(verdict)] += host_kinds.count[h] * image_kinds.count[i];
      const std::size_t image = image_kinds.first[i];
      if (runs(verdict) && images[image].pytorch &&
          (best == images.size() || *images[best].pytorch < *images[image].pytorch))
        best = image;
    }
    shop->best_image.push_back(best);
  }
  report.m_image_kinds = shop->images.size();
  report.m_kind_of_host = std::move(host_kinds.of);
  report.m_kind_of_image = std::move(image_kinds.of);
  report.m_hosts = std::move(hosts);
  report.m_images = std::move(images);
  report.m_matrix_date = matrix.date;
  report.m_workshop = std::move(shop);
  return report;
}

}  // namespace torchkiln::audit
