// Documents of images that other programs wrote, and references that people write.

#include "assembly/oci/image_config.hpp"
#include "assembly/oci/manifest.hpp"
#include "assembly/oci/platform.hpp"
#include "assembly/oci/reference.hpp"

using namespace torchkiln;

namespace {

/// What is read and written is read as the same again. Writing may refuse what reading let pass.
template <class Parse>
void expect_same_again(std::string_view bytes, Parse parse) {
  const auto value = parse(bytes, "document");
  if (!value) return;
  const auto written = oci::to_bytes(*value);
  if (!written) return;
  const auto again = parse(*written, "document");
  TK_ASSERT(again, "what we write we read");
  TK_ASSERT(oci::to_bytes(*again) == *written, "equal documents have equal bytes");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  expect_same_again(bytes, oci::parse_manifest);
  expect_same_again(bytes, oci::parse_index);
  expect_same_again(bytes, oci::parse_image_config);
  if (const auto reference = oci::parse_reference(bytes)) {
    const auto again = oci::parse_reference(oci::to_string(*reference));
    TK_ASSERT(again && *again == *reference, "a reference is written as it is read");
  }
  (void)oci::parse_repository(bytes);
  if (const auto platform = oci::parse_platform(bytes)) {
    const auto again = oci::parse_platform(oci::to_string(*platform));
    TK_ASSERT(again && oci::to_string(*again) == oci::to_string(*platform), "a platform is written as it is read");
  }
  return 0;
}
