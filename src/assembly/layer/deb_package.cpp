#include "assembly/layer/deb_package.hpp"

#include "assembly/layer/archive_reader.hpp"
#include "foundation/base/text.hpp"

#include <algorithm>
#include <memory>

#include <archive.h>
#include <archive_entry.h>

namespace torchkiln::layer {

using base::ErrorCode;
using base::fail;
using base::Result;

namespace {

/// The largest control archive that is read (perl's is 30 kB).
constexpr std::size_t k_control_limit_bytes = 16U << 20;

constexpr const char* k_without_control = "it has no control file";

base::Unexpected bad(const std::string& file_name, const std::string& why) {
  return fail(ErrorCode::input_invalid, file_name + " is no Debian package: " + why);
}
base::Unexpected bad(const std::string& file_name, archive* reader) {
  return bad(file_name, reason_of(reader, k_without_control));
}

Result<std::string> entry_content(archive* a, const std::string& file_name) {
  std::string content;
  char buffer[16384];
  for (;;) {
    const auto got = archive_read_data(a, buffer, sizeof buffer);
    if (got < 0) return bad(file_name, a);
    if (got == 0) return content;
    content.append(buffer, static_cast<std::size_t>(got));
    if (content.size() > k_control_limit_bytes)
      return fail(ErrorCode::input_invalid,
                  file_name + " has a control archive larger than " + base::format_bytes(k_control_limit_bytes));
  }
}

Result<std::string> control_file(const std::string& control_tar, const std::string& file_name) {
  const ArchiveReader inner(archive_read_new());
  archive_read_support_filter_all(inner.get());
  archive_read_support_format_tar(inner.get());
  if (archive_read_open_memory(inner.get(), control_tar.data(), control_tar.size()) != ARCHIVE_OK)
    return bad(file_name, inner.get());
  archive_entry* entry = nullptr;
  while (archive_read_next_header(inner.get(), &entry) == ARCHIVE_OK) {
    const std::string name = archive_entry_pathname(entry) ? archive_entry_pathname(entry) : "";
    if (name == "./control" || name == "control") return entry_content(inner.get(), file_name);
  }
  return bad(file_name, k_without_control);
}

}  // namespace

Result<DebPackage> read_deb(const std::filesystem::path& path, const std::string& file_name) {
  const ArchiveReader outer(archive_read_new());
  archive_read_support_format_ar(outer.get());
  if (archive_read_open_filename(outer.get(), path.c_str(), 65536) != ARCHIVE_OK)
    return bad(file_name, outer.get());
  DebPackage package;
  archive_entry* entry = nullptr;
  while (archive_read_next_header(outer.get(), &entry) == ARCHIVE_OK) {
    const std::string name = archive_entry_pathname(entry) ? archive_entry_pathname(entry) : "";
    package.time_s = std::max<std::int64_t>(package.time_s, archive_entry_mtime(entry));
    if (!name.starts_with("control.tar")) continue;
    TK_TRY(const auto control_tar, entry_content(outer.get(), file_name));
    TK_TRY(auto control, control_file(control_tar, file_name));
    package.control = base::trim(control);
    return package;
  }
  return bad(file_name, k_without_control);
}

}  // namespace torchkiln::layer
