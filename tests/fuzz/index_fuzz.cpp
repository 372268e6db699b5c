// Pages of package indexes and NVIDIA's lists: their bytes come from other machines. Whatever they are, reading
// them ends, and what it gives is within its limits.

#include "foundation/sys/curl_easy.hpp"
#include "knowledge/upstream/listing.hpp"
#include "knowledge/upstream/marker.hpp"
#include "knowledge/upstream/redistribution.hpp"
#include "knowledge/upstream/simple_index.hpp"
#include "knowledge/upstream/wheel_facts.hpp"

using namespace torchkiln;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string url = "https://index.example/simple/torch/";
  if (const auto files = upstream::parse_project_page(bytes, url)) {
    TK_ASSERT(files->size() <= upstream::k_page_files_limit, "a page's files are limited");
    for (const auto& file : *files)
      TK_ASSERT(file.url.starts_with("http://") || file.url.starts_with("https://"), "links are http or https");
    for (const auto& family : upstream::families_of(upstream::linux_wheels(*files, "torch"))) {
      TK_ASSERT(!family.wheels.empty() || !family.yanked.empty(), "a family has wheels");
      if (!family.wheels.empty()) (void)family.representative();
      (void)family.released();
    }
  }
  if (const auto links = upstream::parse_links(bytes, url))
    for (const auto& link : *links) TK_ASSERT(!link.name.empty(), "a link has a name");
  (void)upstream::parse_redistribution(bytes, "redistrib_1.0.json", "1.0");
  (void)upstream::requirement_on_linux(bytes, matrix::Architecture::x86_64, "extra");
  TK_ASSERT(sys::parse_retry_after_s(bytes) >= 0, "nobody is asked to have waited");
  (void)upstream::parse_version_file(bytes, "file");
  (void)upstream::parse_core_metadata(bytes, "file");
  (void)upstream::read_library(bytes);
  return 0;
}
