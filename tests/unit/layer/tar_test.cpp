#include "assembly/layer/tar_header.hpp"
#include "foundation/base/text.hpp"
#include "foundation/sys/process.hpp"
#include "support/test_folder.hpp"

#include <catch2/catch.hpp>
#include <clocale>
#include <fcntl.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>

using namespace torchkiln::layer;
using torchkiln::test::must;
using torchkiln::test::TestFolder;

namespace {

/// What a reader says of an entry, in one line.
std::string line(char type, unsigned mode, std::uint64_t uid, std::uint64_t gid, std::uint64_t size,
                 std::int64_t time_s, const std::string& path, const std::string& link) {
  char text[160];
  std::snprintf(text, sizeof text, "%c %o %llu:%llu %llu %lld ", type, mode, static_cast<unsigned long long>(uid),
                static_cast<unsigned long long>(gid), static_cast<unsigned long long>(size),
                static_cast<long long>(time_s));
  return text + path + (link.empty() ? "" : " -> " + link);
}
std::string line(const TarHeader& header) {
  return line(static_cast<char>(header.type), header.mode, header.uid, header.gid, header.size_bytes, header.time_s,
              header.path, header.link_target);
}

std::vector<std::string> read_by_libarchive(const std::filesystem::path& tar) {
  std::setlocale(LC_CTYPE, "C.UTF-8");  // libarchive gives names in the locale's encoding
  std::vector<std::string> lines;
  archive* reader = archive_read_new();
  archive_read_support_format_tar(reader);
  REQUIRE(archive_read_open_filename(reader, tar.c_str(), 10240) == ARCHIVE_OK);
  archive_entry* entry = nullptr;
  int status = 0;
  while ((status = archive_read_next_header(reader, &entry)) == ARCHIVE_OK) {
    const auto kind = archive_entry_filetype(entry);
    lines.push_back(line(kind == AE_IFDIR   ? '5'
                         : kind == AE_IFLNK ? '2'
                                            : '0',
                         archive_entry_perm(entry), static_cast<std::uint64_t>(archive_entry_uid(entry)),
                         static_cast<std::uint64_t>(archive_entry_gid(entry)),
                         static_cast<std::uint64_t>(archive_entry_size(entry)), archive_entry_mtime(entry),
                         archive_entry_pathname(entry),
                         archive_entry_symlink(entry) ? archive_entry_symlink(entry) : ""));
  }
  INFO((archive_error_string(reader) ? archive_error_string(reader) : ""));
  CHECK(status == ARCHIVE_EOF);
  archive_read_free(reader);
  std::setlocale(LC_CTYPE, "C");
  return lines;
}

std::vector<std::string> output_lines(std::vector<std::string> arguments) {
  torchkiln::sys::Command command;
  command.arguments = std::move(arguments);
  const auto done = must(torchkiln::sys::run_checked(command));
  CHECK(done.errors.empty());
  std::vector<std::string> lines;
  for (const auto one : torchkiln::base::lines(done.output)) lines.emplace_back(one);
  return lines;
}

std::vector<std::string> read_by_python(const std::filesystem::path& tar) {
  return output_lines({"python3", "-c", R"(
import sys, tarfile
for m in tarfile.open(sys.argv[1], 'r:'):
    name = m.name + ('/' if m.isdir() else '')
    print(m.type.decode(), format(m.mode, 'o'), f'{m.uid}:{m.gid}', m.size, int(m.mtime), name, *(['->', m.linkname] if m.linkname else [])))",
                       tar.string()});
}

/// The first line that two lists do not share; nothing when they are equal. (The lists are long.)
std::string difference(const std::vector<std::string>& got, const std::vector<std::string>& wanted) {
  for (std::size_t i = 0; i < std::max(got.size(), wanted.size()); ++i) {
    const auto a = i < got.size() ? got[i] : "(none)", b = i < wanted.size() ? wanted[i] : "(none)";
    if (a != b) return "line " + std::to_string(i) + ": got '" + a + "', wanted '" + b + "'";
  }
  return "";
}

/// The entries of a tar, all files empty, as three readers see them.
void check_headers(const std::vector<TarHeader>& headers) {
  const TestFolder folder;
  std::string tar;
  std::vector<std::string> expected, names;
  for (const auto& header : headers) {
    tar += tar_header(header);
    expected.push_back(line(header));
    names.push_back(header.path);
  }
  const auto path = folder.write("x.tar", tar + tar_end());
  CHECK(difference(read_by_libarchive(path), expected) == "");
  CHECK(difference(read_by_python(path), expected) == "");
  CHECK(difference(output_lines({"tar", "--quoting-style=literal", "-tf", path.string()}), names) == "");
}

TarHeader file(const std::string& path) {
  TarHeader header;
  header.path = path;
  return header;
}

}  // namespace

TEST_CASE("plain files, folders and links are read as they were written") {
  TarHeader folder = file("opt/kiln/");
  folder.type = TarType::directory;
  folder.mode = 0755;
  TarHeader link = file("opt/kiln/lib64");
  link.type = TarType::symlink;
  link.mode = 0777;
  link.link_target = "lib";
  TarHeader owned = file("home/kiln/.profile");
  owned.uid = 1000;
  owned.gid = 1001;
  owned.mode = 0640;
  owned.time_s = 1'754'491'980;
  check_headers({folder, link, owned, file("a")});
}

TEST_CASE("a header block is the same bytes for ever") {
  const auto block = tar_header(file("opt/a"));
  REQUIRE(block.size() == 512);
  CHECK(block.substr(0, 6) == std::string("opt/a\0", 6));
  CHECK(block.substr(100, 57) == std::string("0000644\0"
                                             "0000000\0"
                                             "0000000\0"
                                             "00000000000\0"
                                             "02263523000\0"
                                             "006727\0 0",
                                             57));
  CHECK(block.substr(257, 8) == std::string("ustar\0"
                                            "00",
                                            8));
  CHECK(block.substr(265) == std::string(512 - 265, '\0'));
}

TEST_CASE("names of any length are read back: short, split, and in a pax header") {
  std::vector<TarHeader> headers;
  const auto of_length = [](std::size_t length) {
    std::string path = "d";
    while (path.size() < length) path += path.size() % 40 == 39 ? '/' : 'n';
    if (path.back() == '/') path.back() = 'e';
    return path;
  };
  for (const std::size_t length : {1, 99, 100, 101, 154, 155, 156, 157, 200, 254, 255, 256, 257, 300, 900, 3000})
    headers.push_back(file(of_length(length)));
  // 155 for the folder, 100 for the name: the most that the ustar fields hold, and one more of either.
  const std::string folder155 = std::string(77, 'a') + "/" + std::string(77, 'b');
  headers.push_back(file(folder155 + "/" + std::string(100, 'c')));
  headers.push_back(file(folder155 + "/" + std::string(101, 'c')));
  headers.push_back(file(folder155 + "b/" + std::string(100, 'c')));
  headers.push_back(file(std::string(101, 'x')));
  headers.push_back(
      file("gr\xC3\xBC\xC3\x9F"
           "e/" +
           std::string(120, 'y')));
  check_headers(headers);
}

TEST_CASE("folders with long names keep their slash in every reader") {
  std::vector<TarHeader> headers;
  for (const std::size_t length : {90, 98, 99, 100, 130, 154, 155, 160, 250, 256, 400}) {
    TarHeader header;
    while (header.path.size() < length) header.path += header.path.size() % 30 == 29 ? '/' : 'f';
    if (header.path.back() == '/') header.path.back() = 'g';
    header.path += '/';
    header.type = TarType::directory;
    header.mode = 0755;
    headers.push_back(header);
  }
  check_headers(headers);
}

TEST_CASE("link targets of any length are read back") {
  std::vector<TarHeader> headers;
  for (const std::size_t length : {1, 99, 100, 101, 255, 1000}) {
    auto header = file("l" + std::to_string(length));
    header.type = TarType::symlink;
    header.mode = 0777;
    header.link_target = std::string(length, 't');
    headers.push_back(header);
  }
  auto both = file(std::string(150, 'p'));
  both.type = TarType::symlink;
  both.mode = 0777;
  both.link_target = std::string(150, 'q');
  headers.push_back(both);
  check_headers(headers);
}

TEST_CASE("owners beyond seven octal digits are read back") {
  std::vector<TarHeader> headers;
  for (const unsigned id : {2'097'151U, 2'097'152U, 1'000'660'000U, 4'294'967'294U}) {
    auto header = file("f" + std::to_string(id));
    header.uid = id;
    header.gid = id;
    headers.push_back(header);
  }
  check_headers(headers);
}

TEST_CASE("files of 8 GiB and more state their size in a pax header that every reader understands") {
  const TestFolder folder;
  for (const std::uint64_t size : {(8ULL << 30) - 1, 8ULL << 30, 9'876'543'210ULL}) {
    auto large = file("large");
    large.size_bytes = size;
    const auto header = tar_header(large), next = tar_header(file("next"));
    const auto path = folder.write("x.tar", header);
    // The content is a hole.
    const auto fd = must(torchkiln::sys::open_file(path, O_RDWR));
    const auto end = header.size() + size + tar_padding(size);
    REQUIRE(::pwrite(fd.get(), next.data(), next.size(), static_cast<off_t>(end)) == 512);
    REQUIRE(::ftruncate(fd.get(), static_cast<off_t>(end + 512 + 1024)) == 0);
    const std::vector<std::string> expected = {line(large), line(file("next"))};
    CHECK(read_by_libarchive(path) == expected);
    CHECK(read_by_python(path) == expected);
    CHECK(output_lines({"tar", "-tf", path.string()}) == std::vector<std::string>{"large", "next"});
  }
}

TEST_CASE("padding fills the last block and no more") {
  CHECK(tar_padding(0) == 0);
  CHECK(tar_padding(1) == 511);
  CHECK(tar_padding(511) == 1);
  CHECK(tar_padding(512) == 0);
  CHECK(tar_padding((1ULL << 40) + 1) == 511);
  CHECK(tar_end() == std::string(1024, '\0'));
}
