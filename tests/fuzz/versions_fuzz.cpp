// Versions and what is asked of them, as users, wheels and drivers write them. Whatever the text is, parsing ends,
// and what was understood is written in a form that is understood the same.

#include "knowledge/matrix/requirement.hpp"
#include "knowledge/version/cuda.hpp"
#include "knowledge/version/pep440.hpp"

using namespace torchkiln;

namespace {

template <class T>
void reads_back(std::string_view text) {
  const auto value = T::parse(text);
  if (!value) return;
  const auto again = T::parse(value->to_string());
  TK_ASSERT(again && *again == *value, "what is written is read as the same");
  TK_ASSERT(!(*again < *value) && !(*value < *again), "equal is neither less");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  reads_back<version::Version>(text);
  reads_back<version::CudaVersion>(text);
  reads_back<version::DriverVersion>(text);
  reads_back<version::ComputeCapability>(text);
  if (const auto cuda = version::CudaVersion::from_build_name(text))
    TK_ASSERT(version::CudaVersion::from_build_name(cuda->build_name()) == *cuda, "a build's name is read back");
  if (const auto set = version::SpecifierSet::parse(text)) {
    const auto again = version::SpecifierSet::parse(set->to_string());
    TK_ASSERT(again && again->to_string() == set->to_string(), "one spelling is its own spelling");
    for (const auto* candidate : {"2.8.0", "2.8.0+cu128", "3.0rc1", "0", "2.8.0.post1"}) {
      const auto version = version::Version::parse(candidate).value();
      TK_ASSERT(set->contains(version) == again->contains(version), "both spellings mean the same");
    }
  }
  if (const auto requirement = matrix::parse_requirement(text)) {
    TK_ASSERT(!requirement->name.empty(), "a requirement names a package");
    (void)requirement->holds_on("3.13t");
  }
  return 0;
}
