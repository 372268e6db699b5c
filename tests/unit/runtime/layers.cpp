#include "layers.hpp"

#include "foundation/sys/environment.hpp"

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cstring>
#include <zstd.h>

#include <isa-l/igzip_lib.h>

namespace torchkiln::test {

namespace fs = std::filesystem;

namespace {

void put_octal(char* field, std::size_t size, std::uint64_t value) {
  for (std::size_t i = size - 1; i-- > 0; value >>= 3) field[i] = static_cast<char>('0' + (value & 7));
}

std::string gzip_member(std::string_view text) {
  std::string out(text.size() + 4096, '\0');
  isal_zstream stream;
  ::isal_deflate_stateless_init(&stream);
  stream.gzip_flag = IGZIP_GZIP;
  stream.end_of_stream = 1;
  stream.next_in = reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<std::uint32_t>(text.size());
  stream.next_out = reinterpret_cast<std::uint8_t*>(out.data());
  stream.avail_out = static_cast<std::uint32_t>(out.size());
  REQUIRE(::isal_deflate_stateless(&stream) == COMP_OK);
  out.resize(stream.total_out);
  return out;
}

sys::TemporaryDirectory temporary_folder() {
  auto folder = sys::TemporaryDirectory::create(fs::temp_directory_path(), "torchkiln-test-");
  REQUIRE(folder);
  return std::move(*folder);
}

}  // namespace

TarText& TarText::entry(char type, const std::string& path, const std::string& target, std::string_view content,
                        Attributes attributes) {
  REQUIRE(path.size() <= 100);
  REQUIRE(target.size() <= 100);
  std::array<char, 512> header = {};
  std::memcpy(header.data(), path.data(), path.size());
  put_octal(&header[100], 8, attributes.mode);
  put_octal(&header[108], 8, attributes.uid);
  put_octal(&header[116], 8, attributes.gid);
  put_octal(&header[124], 12, content.size());
  put_octal(&header[136], 12, static_cast<std::uint64_t>(attributes.mtime_s));
  header[156] = type;
  std::memcpy(&header[157], target.data(), target.size());
  std::memcpy(&header[257], "ustar\00000", 8);
  mend_checksum(header.data());
  m_text.append(header.data(), header.size());
  m_text += content;
  m_text.append((512 - content.size() % 512) % 512, '\0');
  return *this;
}

TarText& TarText::file(const std::string& path, std::string_view content, Attributes attributes) {
  return entry('0', path, "", content, attributes);
}
TarText& TarText::folder(const std::string& path, unsigned mode) {
  Attributes attributes;
  attributes.mode = mode;
  return entry('5', path, "", "", attributes);
}
TarText& TarText::special(char type, const std::string& path, const std::string& target) {
  return entry(type, path, target, "", {});
}
TarText& TarText::pax(std::string_view records, char type) {
  return entry(type, "pax", "", records, {});
}
void TarText::mend_checksum(char* header) {
  if (std::string_view(header + 257, 5) != "ustar") return;
  std::memset(header + 148, ' ', 8);
  unsigned sum = 0;
  for (int i = 0; i < 512; ++i) sum += static_cast<unsigned char>(header[i]);
  put_octal(header + 148, 7, sum);
}

std::string TarText::pax_record(const std::string& key, const std::string& value) {
  const auto body = " " + key + "=" + value + "\n";
  auto length = body.size();
  while (std::to_string(length).size() + body.size() != length)
    length = std::to_string(length).size() + body.size();
  return std::to_string(length) + body;
}

std::string gzip(std::string_view text, std::size_t members) {
  std::string out;
  for (std::size_t i = 0; i < members; ++i) {
    const auto from = text.size() * i / members, to = text.size() * (i + 1) / members;
    out += gzip_member(text.substr(from, to - from));
  }
  return out;
}

std::string zstd(std::string_view text) {
  std::string out(::ZSTD_compressBound(text.size()), '\0');
  out.resize(::ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}

Workshop::Workshop()
    : folder(temporary_folder()),
      store(folder.path() / "store", sys::executable_path()),
      runner(sys::executable_path(), folder.path() / "runs") {}

runtime::Layer Workshop::layer(const std::string& tar, const std::string& blob, const std::string& media_type) {
  const auto path = folder.path() / "blobs" / base::Digest::of(blob).hex();
  REQUIRE(sys::make_directories(path.parent_path()));
  REQUIRE(sys::write_file(path, blob));
  return {path, media_type, base::Digest::of(tar)};
}
runtime::Layer Workshop::layer(const std::string& tar) {
  return layer(tar, gzip(tar), k_gzip_type);
}

fs::path Workshop::unpack(const runtime::Layer& layer) const {
  const auto path = store.unpack(layer);
  if (!path) FAIL(path.error().message);
  return *path;
}

std::vector<std::string> Workshop::leftovers() const {
  std::vector<std::string> names;
  for (const auto& parent : {folder.path() / "store" / "work", folder.path() / "runs"})
    if (const auto inside = sys::list_directory(parent))
      for (const auto& name : *inside)
        if (name != "lock") names.push_back(name);
  return names;
}

runtime::RunRequest shell(const std::string& command) {
  runtime::RunRequest request;
  request.arguments = {"/bin/sh", "-c", command};
  request.timeout_s = 60;
  for (const char* path : {"/usr", "/bin", "/lib", "/lib64"})
    if (fs::is_directory(path)) request.mounts.push_back({path, path, runtime::Access::read_only});
  return request;
}

}  // namespace torchkiln::test
