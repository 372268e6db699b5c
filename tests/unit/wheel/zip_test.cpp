#include "knowledge/wheel/zip.hpp"

#include "foundation/sys/process.hpp"
#include "knowledge/wheel/inflate.hpp"
#include "support/must.hpp"
#include "support/test_folder.hpp"
#include "support/zip_builder.hpp"

#include <catch2/catch.hpp>

using namespace torchkiln::wheel;
using torchkiln::base::ErrorCode;
using torchkiln::base::Result;
using torchkiln::test::must;
using torchkiln::test::TestFolder;
using torchkiln::test::ZipBuilder;
using torchkiln::test::ZipPart;

namespace {

/// Reads the directory and every entry's place, as Wheel does.
Result<std::vector<ZipEntry>> read(const std::string& zip) {
  const auto tail = std::string_view(zip).substr(zip.size() - std::min<std::size_t>(zip.size(), k_zip_tail_bytes));
  TK_TRY(const auto location, locate_directory(tail, zip.size(), "x.whl"));
  TK_TRY(auto entries,
         parse_directory(std::string_view(zip).substr(location.offset, location.size_bytes), location, "x.whl"));
  for (const auto& entry : entries) TK_CHECK(entry_data(std::as_bytes(std::span(zip)), entry, "x.whl"));
  return entries;
}

/// Why a zip is refused, without what is the same for all.
std::string refusal(const std::string& zip) {
  const auto result = read(zip);
  if (result) return "accepted";
  CHECK(result.error().code == ErrorCode::input_invalid);
  const std::string start = "x.whl is not a zip file that can be trusted: ";
  CHECK(result.error().message.substr(0, start.size()) == start);
  return result.error().message.substr(start.size());
}

ZipPart part(const std::string& name, const std::string& content = "text") {
  ZipPart part;
  part.name = name;
  part.content = content;
  return part;
}
ZipBuilder zip_of(std::vector<ZipPart> parts) {
  ZipBuilder zip;
  zip.parts = std::move(parts);
  return zip;
}
/// The refusal of a zip with the one entry that `change` made wrong.
template <class Change>
std::string refusal_of_part(Change change) {
  auto one = part("a");
  change(one);
  return refusal(zip_of({one}).bytes());
}
std::string refusal_of_name(const std::string& name) {
  return refusal(zip_of({part(name)}).bytes());
}

}  // namespace

TEST_CASE("a plain zip is read: names, methods, sizes, modes, folders") {
  auto stored = part("b/stored");
  stored.method = 0;
  auto program = part("b/program");
  program.mode = 0100755;
  auto folder = part("b/", "");
  folder.method = 0;
  folder.mode = 040755;
  const auto entries = must(read(zip_of({part("a.txt", "hello"), folder, stored, program}).bytes()));
  REQUIRE(entries.size() == 4);
  CHECK(entries[0].name == "a.txt");
  CHECK(entries[0].method == ZipMethod::deflated);
  CHECK(entries[0].size_bytes == 5);
  CHECK(entries[0].compressed_bytes == 10);
  CHECK(entries[0].crc32 == 0x3610a686);
  CHECK_FALSE(entries[0].is_executable);
  CHECK(entries[1].is_directory);
  CHECK(entries[2].method == ZipMethod::stored);
  CHECK(entries[3].is_executable);
}

TEST_CASE("any execute bit of a regular file makes it executable, and nothing else does") {
  const auto is_executable = [](std::uint32_t mode) {
    auto one = part("a");
    one.mode = mode;
    return must(read(zip_of({one}).bytes())).at(0).is_executable;
  };
  for (const std::uint32_t mode : {0100755U, 0100744U, 0100654U, 0100645U, 0104711U}) CHECK(is_executable(mode));
  for (const std::uint32_t mode : {0100644U, 0100664U, 0106644U, 0755U, 0U}) CHECK_FALSE(is_executable(mode));
}

TEST_CASE("an empty zip is read") {
  CHECK(must(read(ZipBuilder().bytes())).empty());
}

TEST_CASE("names that could leave their folder, or that two readers would read differently, are refused") {
  CHECK(refusal_of_name("/etc/passwd") == "an absolute name: '/etc/passwd'");
  CHECK(refusal_of_name("../x") == "a name with a '..' part: '../x'");
  CHECK(refusal_of_name("a/../x") == "a name with a '..' part: 'a/../x'");
  CHECK(refusal_of_name("a/..") == "a name with a '..' part: 'a/..'");
  CHECK(refusal_of_name("a/../") == "a name with a '..' part: 'a/../'");
  CHECK(refusal_of_name("./x") == "a name with a '.' part: './x'");
  CHECK(refusal_of_name("a//x") == "a name with an empty part: 'a//x'");
  CHECK(refusal_of_name("a//") == "a name with an empty part: 'a//'");
  CHECK(refusal_of_name("a\\x") == "a name with a backslash: 'a\\x'");
  CHECK(refusal_of_name("C:\\x") == "a name with a backslash: 'C:\\x'");
  CHECK_THAT(refusal_of_name(std::string("a\0b", 3)),
             Catch::Matchers::StartsWith("a name with a control character"));
  CHECK_THAT(refusal_of_name("a\nb"), Catch::Matchers::StartsWith("a name with a control character"));
  CHECK_THAT(refusal_of_name("a\x7f"), Catch::Matchers::StartsWith("a name with a control character"));
  CHECK(refusal_of_name("") == "an entry without a name: ''");
  CHECK(refusal_of_name("a/.wh.b") == "a name reserved for whiteouts: 'a/.wh.b'");
  CHECK(refusal_of_name(".wh..wh..opq") == "a name reserved for whiteouts: '.wh..wh..opq'");
  CHECK(refusal_of_name("a..b/...c") == "accepted");
}

TEST_CASE("names longer than a file system takes are refused") {
  const std::string most(255, 'n');
  CHECK(refusal_of_name("a/" + most) == "accepted");
  CHECK(refusal_of_name("a/" + most + "n") == "a name with a part longer than 255 bytes: 'a/" + most + "n'");
  std::string deep;
  while (deep.size() < k_zip_name_limit_bytes) deep += "folder/";
  CHECK(refusal_of_name(deep.substr(0, k_zip_name_limit_bytes - 1) + "x") == "accepted");
  CHECK_THAT(refusal_of_name(deep + "x"), Catch::Matchers::StartsWith("a name longer than 3000 bytes"));
}

TEST_CASE("names that are not ASCII must say that they are UTF-8, and be it") {
  const auto with_flags = [](const std::string& name, std::uint16_t flags) {
    return refusal_of_part([&](ZipPart& p) {
      p.name = name;
      p.flags = flags;
    });
  };
  CHECK(with_flags("gr\xC3\xBC\xC3\x9F", 0x800) == "accepted");
  // Without the flag it is code page 437 for some readers and UTF-8 for others.
  CHECK_THAT(with_flags("gr\xC3\xBC\xC3\x9F", 0), Catch::Matchers::StartsWith("a name in an unknown encoding"));
  for (const char* name : {"\xff", "\xC3", "\xC0\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xE2\x82"})
    CHECK_THAT(with_flags(name, 0x800), Catch::Matchers::StartsWith("a name that is not UTF-8"));
}

TEST_CASE("two entries of one name are refused, and a file where another entry needs a folder") {
  CHECK(refusal(zip_of({part("a", "1"), part("b"), part("a", "2")}).bytes()) == "'a' occurs twice");
  CHECK(refusal(zip_of({part("a"), part("a")}).bytes()) == "'a' occurs twice");
  CHECK(refusal(zip_of({part("a"), part("a/b")}).bytes()) == "'a' is a file and a folder");
  CHECK(refusal(zip_of({part("a/b/c"), part("a/b")}).bytes()) == "'a/b' is a file and a folder");
  auto folder = part("a/", "");
  CHECK(refusal(zip_of({part("a"), folder}).bytes()) == "'a' is a file and a folder");
  CHECK(refusal(zip_of({folder, part("a/b"), part("a-b")}).bytes()) == "accepted");
}

TEST_CASE("links, devices and pipes are refused") {
  for (const std::uint32_t mode : {0120777U, 0020644U, 0060644U, 0010644U, 0140755U})
    CHECK(refusal_of_part([&](ZipPart& p) { p.mode = mode; }) == "'a' is neither a file nor a folder");
  CHECK(refusal_of_part([](ZipPart& p) { p.mode = 0040755; }) ==
        "'a' is a folder by its mode, but not by its name");
  CHECK(refusal_of_part([](ZipPart& p) { p.name = "a/"; }) == "the folder 'a/' has content");
}

TEST_CASE("encrypted entries are refused, in the directory and in the local header") {
  for (const std::uint16_t flag : {1, 1 << 6, 1 << 13})
    CHECK(refusal_of_part([&](ZipPart& p) { p.flags = flag; }) == "'a' is encrypted");
  CHECK(refusal_of_part([](ZipPart& p) { p.local_flags = std::uint16_t{1}; }) ==
        "'a' has another kind of content in its local header");
}

TEST_CASE("compression methods other than stored and deflate are refused") {
  for (const std::uint16_t method : {1, 9, 12, 14, 93, 99})
    CHECK(refusal_of_part([&](ZipPart& p) { p.method = method; }) ==
          "'a' is compressed by method " + std::to_string(method) + "; only stored and deflate are known");
}

TEST_CASE("a stored entry with two sizes is refused") {
  CHECK(refusal_of_part([](ZipPart& p) {
          p.method = 0;
          p.size_bytes = 5;
        }) == "'a' is stored with two different sizes");
}

TEST_CASE("a local header that says something else than the directory is refused") {
  CHECK(refusal_of_part([](ZipPart& p) { p.local_name = "b"; }) == "'a' has another name in its local header");
  CHECK(refusal_of_part([](ZipPart& p) { p.local_name = "aa"; }) != "accepted");
  CHECK(refusal_of_part([](ZipPart& p) { p.local_method = std::uint16_t{0}; }) ==
        "'a' has another kind of content in its local header");
  CHECK(refusal_of_part([](ZipPart& p) { p.local_crc32 = 1U; }) ==
        "'a' has another size or CRC-32 in its local header");
}

TEST_CASE("entries that share bytes, or reach into the directory, are refused") {
  auto second = part("b");
  second.header_offset = 0;
  CHECK(refusal(zip_of({part("a"), second}).bytes()) == "'a' overlaps what follows it");
  auto long_one = part("a");
  long_one.compressed_bytes = 60;
  CHECK(refusal(zip_of({long_one, part("b")}).bytes()) == "'a' overlaps what follows it");
  auto last = part("a");
  last.compressed_bytes = 10;
  last.data = "123456789";
  CHECK(refusal(zip_of({last}).bytes()) == "'a' overlaps what follows it");
  auto beyond = part("a");
  beyond.header_offset = 1000;
  CHECK(refusal(zip_of({beyond}).bytes()) == "'a' overlaps what follows it");
}

TEST_CASE("the sizes of a zip64 entry are read from its extra field") {
  auto wide = part("a");
  wide.zip64 = true;
  const auto entries = must(read(zip_of({wide, part("b")}).bytes()));
  CHECK(entries.at(0).size_bytes == 4);
  CHECK(entries.at(0).compressed_bytes == 9);
  wide.data_descriptor = true;
  CHECK(refusal(zip_of({wide, part("b")}).bytes()) == "accepted");
}

TEST_CASE("sizes above 4 GiB are believed only as far as the file goes") {
  const auto huge = [](std::uint64_t size, std::uint64_t packed) {
    return refusal_of_part([&](ZipPart& p) {
      p.size_bytes = size;
      p.compressed_bytes = packed;
    });
  };
  CHECK(huge(5ULL << 30, 9) == "accepted");  // inflating it finds out
  CHECK(huge(5ULL << 30, 5ULL << 30) == "'a' overlaps what follows it");
  CHECK(huge(4, ~0ULL) == "'a' overlaps what follows it");
  CHECK(huge(65ULL << 30, 9) == "it unpacks to more than 68.7 GB");
  CHECK(huge(~0ULL, 9) == "it unpacks to more than 68.7 GB");
}

TEST_CASE("entries that together unpack to more than the limit are refused") {
  std::vector<ZipPart> parts;
  for (int i = 0; i < 20; ++i) {
    parts.push_back(part("a" + std::to_string(i)));
    parts.back().size_bytes = 0xfffffff0;
  }
  CHECK(refusal(zip_of(parts).bytes()) == "it unpacks to more than 68.7 GB");
}

TEST_CASE("a zip64 field that is missing or too short is refused") {
  const auto with_extra = [](const std::string& extra) {
    return refusal_of_part([&](ZipPart& p) {
      p.size_bytes = 0xffffffff;
      p.compressed_bytes = 0xfffffffe;
      p.extra = extra;
    });
  };
  // 0xffffffff in 32 bits means "see the extra field": the builder writes one itself above that.
  using torchkiln::test::little_endian;
  CHECK(with_extra(little_endian(1, 2) + little_endian(4, 2) + "1234") == "a zip64 field that is too short");
  CHECK(with_extra(little_endian(1, 2) + little_endian(80, 2)) == "sizes that need zip64 without a zip64 field");
}

TEST_CASE("data descriptors are known, and must say what the directory says") {
  auto streamed = part("a");
  streamed.data_descriptor = true;
  CHECK(refusal(zip_of({streamed, part("b"), streamed.name == "a" ? part("c") : part("d")}).bytes()) == "accepted");
  CHECK(refusal(zip_of({streamed}).bytes()) == "accepted");
  streamed.gap_after = "x";
  CHECK(refusal(zip_of({streamed, part("b")}).bytes()) == "'a' is followed by bytes that belong to nothing");
}

TEST_CASE("bytes that belong to nothing are refused wherever they lie: another reader could find entries in them") {
  auto zip = zip_of({part("a"), part("b")});
  zip.prefix = "#!/bin/sh\n";
  CHECK(refusal(zip.bytes()) == "its directory does not end where the end record begins");
  zip.prefix.clear();
  zip.before = zip_of({part("hidden")}).bytes().substr(0, 50);
  CHECK(refusal(zip.bytes()) == "it does not begin with its first entry");
  zip.before.clear();
  zip.parts[0].gap_after = "hidden";
  CHECK(refusal(zip.bytes()) == "'a' is followed by bytes that belong to nothing");
  zip.parts[0].gap_after.clear();
  zip.parts[1].gap_after = "hidden";
  CHECK(refusal(zip.bytes()) == "'b' is followed by bytes that belong to nothing");
  zip.parts[1].gap_after.clear();
  CHECK(refusal(zip.bytes()) == "accepted");
  zip.after = "trailing";
  CHECK(refusal(zip.bytes()) == "it has no end record");
}

TEST_CASE("a comment is fine, a second end record in it is not") {
  auto zip = zip_of({part("a")});
  zip.comment = "made by hand";
  CHECK(refusal(zip.bytes()) == "accepted");
  zip.comment = std::string(65535, 'c');
  CHECK(refusal(zip.bytes()) == "accepted");
  zip.comment = ZipBuilder().bytes();
  CHECK(refusal(zip.bytes()) == "it has two end records");
}

TEST_CASE("an end record that does not fit its directory is refused") {
  auto zip = zip_of({part("a"), part("b")});
  zip.entries = 3;
  CHECK(refusal(zip.bytes()) == "its end record promises 3 entries, its directory has 2");
  zip.entries = 1;
  CHECK(refusal(zip.bytes()) == "its end record promises 1 entries, its directory has 2");
  zip.entries.reset();
  zip.entries_here = 1;
  CHECK(refusal(zip.bytes()) == "it is split over several files");
  zip.entries_here.reset();
  zip.directory_bytes = 10;
  CHECK(refusal(zip.bytes()) == "its directory does not end where the end record begins");
  zip.directory_bytes.reset();
  zip.directory_offset = 0;
  CHECK(refusal(zip.bytes()) == "its directory does not end where the end record begins");
}

TEST_CASE("a zip64 end record is read, and must agree with the other one") {
  auto zip = zip_of({part("a"), part("b")});
  zip.zip64_end = true;
  CHECK(refusal(zip.bytes()) == "accepted");
  zip.end64_entries = 3;
  CHECK(refusal(zip.bytes()) == "its two end records disagree");
  zip.end64_entries.reset();
  zip.between_ends = "gap";
  CHECK(refusal(zip.bytes()) == "its zip64 end record lies elsewhere");
}

TEST_CASE("more entries than the limit are refused before they are read") {
  auto zip = zip_of({part("a")});
  zip.zip64_end = true;
  zip.entries = 0xffff;
  zip.end64_entries = k_zip_entry_limit + 1;
  CHECK(refusal(zip.bytes()) == "it has 500001 entries; the limit is 500000");
}

TEST_CASE("what is no zip at all is refused") {
  CHECK(refusal("") == "it is shorter than the end record");
  CHECK(refusal("PK\5\6") == "it is shorter than the end record");
  CHECK(refusal(std::string(100'000, 'x')) == "it has no end record");
}

TEST_CASE("a zip cut anywhere is refused") {
  auto streamed = part("b");
  streamed.data_descriptor = true;
  const auto whole = zip_of({part("a"), streamed}).bytes();
  for (std::size_t length = 0; length < whole.size(); ++length)
    CHECK(refusal(whole.substr(0, length)) != "accepted");
}

TEST_CASE("a zip with any one byte changed is refused or means the same or another harmless thing, without harm") {
  auto wide = part("b");
  wide.zip64 = true;
  auto zip = zip_of({part("a/b"), wide});
  zip.zip64_end = true;
  const auto whole = zip.bytes();
  for (std::size_t at = 0; at < whole.size(); ++at)
    for (const int value : {0x00, 0x01, 0x2f, 0x7f, 0x80, 0xff}) {
      auto changed = whole;
      changed[at] = static_cast<char>(value);
      const auto entries = read(changed);
      if (!entries) continue;
      for (const auto& entry : *entries) {
        CHECK(entry.name.find("..") == std::string::npos);
        CHECK(entry.compressed_bytes <= whole.size());
      }
    }
}

TEST_CASE("the last bytes must be the last bytes") {
  const auto zip = zip_of({part("a")}).bytes();
  CHECK_FALSE(locate_directory(zip, zip.size() + 1, "x.whl"));
  CHECK_FALSE(locate_directory(zip, 10, "x.whl"));
  CHECK(locate_directory(zip, zip.size(), "x.whl"));
}

TEST_CASE("zips that Python writes are read, streamed and zip64 ones too") {
  TestFolder folder;
  torchkiln::sys::Command python;
  python.arguments = {"python3", "-c", R"(
import sys, zipfile
with zipfile.ZipFile(sys.argv[1] + '/plain.zip', 'w', zipfile.ZIP_DEFLATED) as z:
    z.writestr('pkg/__init__.py', 'x = 1\n' * 100)
    z.writestr(zipfile.ZipInfo('grün.txt'), 'y')
    z.mkdir('leer') if hasattr(z, 'mkdir') else z.writestr('leer/', '')
class Pipe:
    def __init__(self, f): self.f = f
    def write(self, b): return self.f.write(b)
    def flush(self): pass
with open(sys.argv[1] + '/streamed.zip', 'wb') as f, zipfile.ZipFile(Pipe(f), 'w', zipfile.ZIP_DEFLATED) as z:
    z.writestr('a', 'a' * 1000)
    with z.open('b', 'w', force_zip64=True) as e: e.write(b'b' * 1000)
)",
                      folder.path().string()};
  REQUIRE(must(torchkiln::sys::run(python)).exit_status == 0);
  const auto plain = must(read(folder.text("plain.zip")));
  CHECK(plain.at(0).size_bytes == 600);
  CHECK(plain.at(1).name == "gr\xC3\xBCn.txt");
  CHECK(plain.at(2).is_directory);
  const auto streamed = must(read(folder.text("streamed.zip")));
  CHECK(streamed.at(0).size_bytes == 1000);
  CHECK(streamed.at(1).size_bytes == 1000);
}

namespace {
std::string inflated(const std::string& deflated, std::uint64_t size, std::uint32_t crc) {
  std::string text;
  const auto done = inflate(std::as_bytes(std::span(deflated)), size, crc, [&](std::span<const std::byte> piece) {
    CHECK(piece.size() <= k_inflate_piece_bytes);
    text.append(reinterpret_cast<const char*>(piece.data()), piece.size());
  });
  return done ? text : "! " + done.error().message;
}
std::uint32_t crc_of(const std::string& text) {
  return crc32_of(std::as_bytes(std::span(text)));
}
}  // namespace

TEST_CASE("CRC-32 is that of the zip and gzip formats, in one piece or several") {
  CHECK(crc_of("123456789") == 0xcbf43926);
  CHECK(crc_of("") == 0);
  const std::string a = "1234", b = "56789";
  CHECK(crc32_of(std::as_bytes(std::span(b)), crc_of(a)) == 0xcbf43926);
}

TEST_CASE("a deflate stream gives its bytes, checked") {
  const std::string fixed("\x4b\x4c\x4c\x4c\x04\x00", 6);  // zlib's "aaaa"
  CHECK(inflated(fixed, 4, crc_of("aaaa")) == "aaaa");
  const std::string large(3'000'000, 'z');
  CHECK((inflated(torchkiln::test::stored_deflate(large), large.size(), crc_of(large)) == large));
  CHECK(inflated(torchkiln::test::stored_deflate(""), 0, 0).empty());
}

TEST_CASE("a deflate stream that is cut, too long, too short, damaged or followed by bytes is refused") {
  const auto good = torchkiln::test::stored_deflate("hello");
  const auto crc = crc_of("hello");
  for (std::size_t length = 0; length < good.size(); ++length)
    CHECK(inflated(good.substr(0, length), 5, crc) == "! its compressed data is cut off");
  for (const std::string& after : {std::string(1, '\0'), std::string("12345678"), std::string(100, 'x')})
    CHECK(inflated(good + after, 5, crc) == "! it has bytes after its compressed data");
  CHECK(inflated(good, 4, crc) == "! it unpacks to more than its size");
  CHECK(inflated(good, 6, crc) == "! it unpacks to less than its size");
  CHECK(inflated(good, 5, crc + 1) == "! its CRC-32 is wrong");
  CHECK(inflated("\xff\xff\xff", 5, crc) == "! its compressed data is damaged");
  // A bomb: the size it states is all that is ever written.
  const std::string zeros(10'000'000, '\0');
  CHECK(inflated(torchkiln::test::stored_deflate(zeros), 10, 0) == "! it unpacks to more than its size");
}
