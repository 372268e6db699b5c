// Versions and what is asked of them, as users, wheels and drivers write them; digests, numbers and times. Whatever
// the text is, parsing ends, and what was understood is written in a form that is understood the same.

#include "foundation/base/digest.hpp"
#include "foundation/base/text.hpp"
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
  if (const auto digest = base::Digest::parse(text))
    TK_ASSERT(base::Digest::parse(digest->to_string()) == *digest, "a digest is written as it is read");
  if (const auto number = base::parse_integer(text))
    TK_ASSERT(base::parse_integer(std::to_string(*number)) == *number, "a number is written as it is read");
  // Years of more than four digits have no RFC 3339.
  if (const auto time_s = base::parse_time(text); time_s && base::format_time(*time_s).size() == 20)
    TK_ASSERT(base::parse_time(base::format_time(*time_s)) == *time_s, "a time is written as it is read");
  if (const auto bytes = base::from_base64(text))
    TK_ASSERT(base::to_base64(*bytes) == text, "base64 has one spelling");
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
