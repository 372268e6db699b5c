#pragma once
// Layers made by hand, so that tests can say things that no tar program would write.

#include "assembly/runtime/runtime.hpp"
#include "assembly/runtime/unpack_store.hpp"
#include "foundation/sys/files.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace torchkiln::test {

/// A tar archive in the making; every entry is one call.
class TarText {
 public:
  struct Attributes {
    unsigned mode = 0644;
    unsigned uid = 0;
    unsigned gid = 0;
    std::int64_t mtime_s = 1'700'000'000;
  };
  TarText& file(const std::string& path, std::string_view content, Attributes attributes);
  TarText& file(const std::string& path, std::string_view content) { return file(path, content, {}); }
  TarText& folder(const std::string& path, unsigned mode = 0755);
  /// Any type flag: '1' hard link, '2' symbolic link, '3' device, '6' fifo, ...
  TarText& special(char type, const std::string& path, const std::string& target = "");
  /// A pax header for the next entry, its records as they are.
  TarText& pax(std::string_view records, char type = 'x');
  static std::string pax_record(const std::string& key, const std::string& value);
  /// Makes the checksum of the header block at `header` right, if it is one.
  static void mend_checksum(char* header);

  /// The archive with its end.
  std::string text() const { return m_text + std::string(1024, '\0'); }
  std::string without_end() const { return m_text; }

 private:
  TarText& entry(char type, const std::string& path, const std::string& target, std::string_view content,
                 Attributes attributes);
  std::string m_text;
};

/// `text` as gzip members, as even in size as can be.
std::string gzip(std::string_view text, std::size_t members = 1);
std::string zstd(std::string_view text);

inline constexpr const char* k_tar_type = "application/vnd.oci.image.layer.v1.tar";
inline constexpr const char* k_gzip_type = "application/vnd.oci.image.layer.v1.tar+gzip";
inline constexpr const char* k_zstd_type = "application/vnd.oci.image.layer.v1.tar+zstd";

/// A store and a runner in a folder of their own.
struct Workshop {
  Workshop();
  runtime::Layer layer(const std::string& tar);
  runtime::Layer layer(const std::string& tar, const std::string& blob, const std::string& media_type);
  /// Unpacks; the test fails when that fails.
  std::filesystem::path unpack(const runtime::Layer& layer) const;
  /// What lies about, apart from layers: "work" folders that a killed or failed run left.
  std::vector<std::string> leftovers() const;

  sys::TemporaryDirectory folder;
  runtime::UnpackStore store;
  runtime::Runner runner;
};

/// A shell command on the host's own programs, which saves an image.
runtime::RunRequest shell(const std::string& command);

}  // namespace torchkiln::test
