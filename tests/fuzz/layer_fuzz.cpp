// What comes back to the layers: a tar that streams by, in pieces of any size, and a catalog that others made. The first
// byte says which, or where the tar is cut.

#include "assembly/layer/catalog.hpp"
#include "assembly/layer/tar_scanner.hpp"

using namespace torchkiln;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] == 'c') {
    if (const auto entries = layer::parse_catalog(text, "catalog.json")) {
      const auto again = layer::parse_catalog(layer::format_catalog(*entries), "again");
      TK_ASSERT(again && *again == *entries, "a catalog is written and read as the same");
    }
    return 0;
  }
  const auto bytes = std::as_bytes(std::span(text));
  layer::TarScanner whole, cut;
  const bool is_read = whole.feed(bytes) && whole.finish();
  const auto head = std::min<std::size_t>(data[0] * 16, bytes.size());
  const bool is_cut_read = cut.feed(bytes.first(head)) && cut.feed(bytes.subspan(head)) && cut.finish();
  TK_ASSERT(is_read == is_cut_read, "where a tar is cut does not matter");
  if (!is_read) return 0;
  TK_ASSERT(whole.entries().size() == cut.entries().size() && whole.end() == cut.end(), "nor for what is in it");
  for (const auto& entry : whole.entries())
    TK_ASSERT(entry.content_begin + entry.size_bytes <= bytes.size(), "an entry lies in the archive");
  return 0;
}
