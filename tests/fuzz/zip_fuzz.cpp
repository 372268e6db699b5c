// Wheels come from package indexes: the zip's directory, its entries, RECORD, entry points and file names, whatever
// their bytes are.

#include "knowledge/wheel/wheel.hpp"

#include <algorithm>

using namespace torchkiln;

namespace {

void expect_sound(std::span<const std::byte> zip, const std::vector<wheel::ZipEntry>& entries) {
  for (const auto& entry : entries) {
    TK_ASSERT(!entry.name.empty() && entry.name.front() != '/', "a name is relative");
    TK_ASSERT(("/" + entry.name + "/").find("/../") == std::string::npos, "no name leads out of the folder");
    TK_ASSERT(entry.end_offset <= zip.size() && entry.header_offset < entry.end_offset,
              "an entry lies in the file");
    const auto data = wheel::entry_data(zip, entry, "wheel");
    if (!data) continue;
    TK_ASSERT(data->size() == entry.compressed_bytes, "an entry's data has the size that the directory says");
    TK_ASSERT(
        data->empty() || (data->data() >= zip.data() && data->data() + data->size() <= zip.data() + zip.size()),
        "an entry's data lies in the file");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto tail = bytes.substr(bytes.size() - std::min<std::size_t>(bytes.size(), wheel::k_zip_tail_bytes));
  if (const auto location = wheel::locate_directory(tail, bytes.size(), "wheel")) {
    TK_ASSERT(location->offset <= size && location->size_bytes <= size - location->offset,
              "the directory lies in the file");
    const auto directory = bytes.substr(location->offset, location->size_bytes);
    if (const auto entries = wheel::parse_directory(directory, *location, "wheel"))
      expect_sound(std::as_bytes(std::span(data, size)), *entries);
  }
  if (const auto rows = wheel::parse_record(bytes, "RECORD")) {
    const auto again = wheel::parse_record(wheel::format_record(*rows), "RECORD");
    TK_ASSERT(again && again->size() == rows->size(), "RECORD is written as it is read");
    for (std::size_t i = 0; i < rows->size(); ++i)
      TK_ASSERT((*again)[i].path == (*rows)[i].path, "RECORD is written as it is read");
  }
  (void)wheel::parse_entry_points(bytes, "entry_points.txt");
  (void)wheel::parse_wheel_name(bytes);
  (void)wheel::normalized_name(bytes);
  return 0;
}
