#pragma once
// NVIDIA_REQUIRE_* of images: conditions on driver and device under which the container runtime starts them, as
// nvidia-container-cli reads them (NVIDIA/libnvidia-container src/cli/dsl.c @5823754b, configure.c @09df17a2):
//
//   require   = or-term *( SP or-term )              cuda>=12.8 brand=tesla,driver>=535,driver<536
//   or-term   = factor *( "," factor )
//   factor    = property operator value              cuda driver arch brand; = != < <= > >=

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::audit {

/// What a requirement asks about, of one device. Empty: not known.
struct RequirementFacts {
  std::string cuda;    ///< "12.4": what the driver calls its CUDA version
  std::string driver;  ///< "550.127.05"
  std::string arch;    ///< "8.0"
  std::string brand;   ///< "GeForce", "NVIDIA RTX": NVML's, as nvidia-smi prints it
};

class NvidiaRequirement {
 public:
  enum class Answer { met, unmet, unknown, malformed };

  /// Never fails: what is malformed is kept in its place, since the runtime only trips over what it comes to.
  static NvidiaRequirement parse(std::string_view text);

  /// From left to right: the first alternative whose factors all hold is enough. `malformed` when a malformed
  /// factor is reached before that (the runtime says "invalid expression" and refuses); `unknown` when a fact that
  /// decides is not known.
  Answer ask(const RequirementFacts& facts) const;

  /// As it was written.
  const std::string& text() const { return m_text; }
  /// What is malformed: `"brnad=tesla": there is no property brnad`, a line each.
  const std::vector<std::string>& faults() const { return m_faults; }
  /// The version of the first "cuda>=": the CUDA that the image is made with. Empty when there is none.
  const std::string& cuda() const { return m_cuda; }

 private:
  using Numbers = std::vector<std::uint64_t>;
  enum class Property { cuda, driver, arch, brand };
  enum class Operator { equal, not_equal, less, less_equal, greater, greater_equal };
  struct Factor {
    bool is_malformed = true;
    Property property = Property::cuda;
    Operator op = Operator::equal;
    Numbers numbers;
    std::string brand;  ///< lower case, without spaces
  };
  struct DeviceNumbers;
  static std::optional<Numbers> numbers(std::string_view text);
  Factor parse_factor(std::string_view text);
  static Answer ask_factor(const Factor& factor, const DeviceNumbers& device);

  std::vector<std::vector<Factor>> m_alternatives;
  std::vector<std::string> m_faults;
  std::string m_text;
  std::string m_cuda;
};

}  // namespace torchkiln::audit
