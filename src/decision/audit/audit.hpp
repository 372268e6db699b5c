#pragma once
// Which machine runs which image, by the same rules as the solver (decision/solver/rules.hpp). Pure. docs/audit.md
// says what each verdict means and which rule gives it.

#include "knowledge/host/machine.hpp"
#include "knowledge/matrix/matrix.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::audit {

/// docs/audit.md says when each is given. The first four run.
enum class Verdict : std::uint8_t {
  direct,
  minor_version,
  forward_compat,
  ptx_jit,
  driver_too_old,
  gpu_not_in_driver,
  driver_mismatch,  ///< kernel module and user-space driver do not go together: errors 803 and 804, E08
  no_gpu,           ///< somebody says that the machine has no GPU
  no_kernels,
  requirement_refused,
  no_such_build,
  python_unsupported,
  glibc_too_old,
  packages_conflict,
  cpu_only,
  unsupported_by_pytorch,
  unknown,  ///< a fact is missing: never counted as running
};
inline constexpr std::size_t k_verdicts = 17;
/// "direct", "minor-version", …
std::string_view name(Verdict verdict);
inline bool runs(Verdict verdict) {
  return verdict <= Verdict::ptx_jit;
}

/// A package of an image besides torch whose release matters: torchvision 0.29.2.
struct Package {
  std::string name;
  version::Version release;
};

/// What is known of an image.
struct Image {
  std::string name;  ///< "pytorch 2.7.1+cu126", "team/pytorch:2.8.0-cu128-cudnn9-py311-runtime", "kiln.lock"
  std::optional<version::Version> pytorch;  ///< absent: no PyTorch, only a requirement
  std::string build;                        ///< "cu126"; empty: what the default index gives
  std::optional<matrix::Architecture> architecture;
  std::string python;                     ///< "3.11"; empty where it does not matter
  std::optional<version::Version> glibc;  ///< of its operating system; absent: of the host
  std::vector<Package> packages;
  /// The environment's NVIDIA_REQUIRE_*, NVIDIA_DISABLE_REQUIRE and CUDA_VERSION: name and value.
  std::vector<std::pair<std::string, std::string>> requirements;
  std::string source;  ///< where this was read: "kiln.lock", "--pytorch"
};

/// Why. The first reason is the verdict's.
struct Reason {
  std::string rule;  ///< stable: "driver-floor"
  std::string text;
  std::string source;  ///< "manifests/cuda.toml:12", "NVML"
};

/// What would change the verdict: the smallest driver, the newest release that runs as it is.
struct Fix {
  std::string text;
  std::string command;  ///< may be empty
};

/// What of a running pair is limited: {"torch_compile", "triton needs compute capability 7.0"}.
struct Limitation {
  std::string feature;  ///< stable: "torch_compile"
  std::string text;
};

struct Judgement {
  Verdict verdict = Verdict::unknown;
  std::vector<Reason> reasons;  ///< every rule that applies, in the order host, driver, kernels, packages
  std::vector<Fix> fixes;
  std::vector<Limitation> limitations;
};

/// Every host × image. The verdict of every pair is known at once, by kinds: hosts that are alike in every fact
/// share their judgements, and so do images; ten thousand hosts are a few dozen kinds. The words are put together
/// when they are asked for.
class Report {
 public:
  const std::vector<host::Machine>& hosts() const { return m_hosts; }
  const std::vector<Image>& images() const { return m_images; }
  /// Constant time.
  Verdict verdict(std::size_t host, std::size_t image) const {
    return m_verdicts[m_kind_of_host[host] * m_image_kinds + m_kind_of_image[image]];
  }
  /// Words and fixes of one pair, made anew by every call (tens of microseconds): keep the value while looking at
  /// its parts. Whoever tells many pairs keeps one for each pair of kinds.
  Judgement at(std::size_t host, std::size_t image) const;
  /// Hosts with the same kind have the same judgements, word for word, and so do images.
  std::uint32_t kind_of_host(std::size_t host) const { return m_kind_of_host[host]; }
  std::uint32_t kind_of_image(std::size_t image) const { return m_kind_of_image[image]; }
  /// How many pairs have each verdict, by the verdict's number.
  const std::array<std::uint64_t, k_verdicts>& counts() const { return m_counts; }
  bool all_run() const;

 private:
  friend Report audit(std::vector<host::Machine> hosts, std::vector<Image> images, const matrix::Matrix& matrix);
  std::vector<host::Machine> m_hosts;
  std::vector<Image> m_images;
  std::vector<std::uint32_t> m_kind_of_host, m_kind_of_image;
  std::size_t m_image_kinds = 0;
  std::vector<Verdict> m_verdicts;  ///< by kind of host, then kind of image
  std::array<std::uint64_t, k_verdicts> m_counts{};
  struct Workshop;
  std::shared_ptr<const Workshop> m_workshop;  ///< facts and rules, for the words
};

/// `matrix` must outlive the report.
Report audit(std::vector<host::Machine> hosts, std::vector<Image> images, const matrix::Matrix& matrix);

}  // namespace torchkiln::audit
