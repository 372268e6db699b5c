#include "assembly/layer/fixed_deflate.hpp"
#include "foundation/base/digest.hpp"
#include "foundation/sys/process.hpp"
#include "knowledge/wheel/inflate.hpp"
#include "support/test_folder.hpp"

#include <catch2/catch.hpp>
#include <map>

using torchkiln::base::Digest;
using torchkiln::layer::fixed_deflate;
using torchkiln::layer::gzip_member;
using torchkiln::test::must;
using torchkiln::test::TestFolder;

namespace {

std::string noise(std::size_t size_bytes, unsigned seed, unsigned values = 256) {
  std::string bytes(size_bytes, '\0');
  std::uint32_t state = seed;
  for (char& c : bytes) c = static_cast<char>(((state = state * 1664525 + 1013904223) >> 16 & 0xffff) % values);
  return bytes;
}

/// Inputs that reach every branch: empty, one byte, literals of both code lengths, matches of every length bucket
/// and distance, overlapping ones, block borders, incompressible blocks between compressible ones.
std::map<std::string, std::string> inputs() {
  std::map<std::string, std::string> all;
  all["empty"] = "";
  all["one byte"] = "x";
  all["two bytes"] = "xx";
  all["all bytes"] = [] {
    std::string bytes;
    for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
    return bytes;
  }();
  all["zero block"] = std::string(512, '\0');
  all["long run"] = std::string(200'000, 'r');
  all["noise"] = noise(1U << 20, 7);
  all["two letters"] = noise(100'000, 3, 2);
  all["few letters"] = noise(150'000, 5, 17);
  all["border"] = std::string(65'534, 'b') + "xyz" + std::string(65'535, 'c') + "xyz";
  all["exactly one block"] = noise(65'535, 9);
  all["one more than a block"] = noise(65'536, 9);
  all["mixed"] = noise(70'000, 1) + std::string(70'000, ' ') + noise(70'000, 2) + "end";
  std::string distances = noise(40'000, 11);
  for (std::size_t distance = 1; distance <= 32'768; distance = distance * 5 / 4 + 1)
    distances += distances.substr(distances.size() - distance, 3 + distance % 256);
  all["distances"] = distances;
  std::string lengths = noise(300, 13);
  for (std::size_t length = 3; length <= 258; ++length)
    lengths += lengths.substr(0, length) + static_cast<char>(length);
  all["lengths"] = lengths;
  return all;
}

std::string inflated(const std::string& deflated, const std::string& expected) {
  std::string text;
  must(torchkiln::wheel::inflate(std::as_bytes(std::span(deflated)), expected.size(),
                                 torchkiln::wheel::crc32_of(std::as_bytes(std::span(expected))),
                                 [&](std::span<const std::byte> piece) {
                                   text.append(reinterpret_cast<const char*>(piece.data()), piece.size());
                                 }));
  return text;
}

}  // namespace

TEST_CASE("what is deflated inflates to the same bytes") {
  for (const auto& [name, bytes] : inputs()) {
    INFO(name);
    CHECK((inflated(fixed_deflate(bytes), bytes) == bytes));
  }
  for (std::size_t size = 0; size < 600; ++size) {
    const auto bytes = noise(size, static_cast<unsigned>(size), 3);
    CHECK((inflated(fixed_deflate(bytes), bytes) == bytes));
  }
}

TEST_CASE("zlib and gzip, which share nothing with us, read it too") {
  const TestFolder folder;
  for (const auto& [name, bytes] : inputs()) {
    must(torchkiln::sys::write_file(folder.path(name + ".raw"), bytes));
    must(torchkiln::sys::write_file(folder.path(name + ".gz"), gzip_member(bytes)));
    must(torchkiln::sys::write_file(folder.path(name + ".deflate"), fixed_deflate(bytes)));
  }
  torchkiln::sys::Command python;
  python.arguments = {"python3", "-c", R"(
import gzip, pathlib, sys, zlib
count = 0
for raw in pathlib.Path(sys.argv[1]).glob('*.raw'):
    wanted = raw.read_bytes()
    inflater = zlib.decompressobj(-15)
    got = inflater.decompress(raw.with_suffix('.deflate').read_bytes()) + inflater.flush()
    if got != wanted or not inflater.eof or inflater.unused_data: print('deflate', raw.name)
    if gzip.decompress(raw.with_suffix('.gz').read_bytes()) != wanted: print('gzip', raw.name)
    count += 1
print(count))",
                      folder.path().string()};
  CHECK(must(torchkiln::sys::run_checked(python)).output == std::to_string(inputs().size()) + "\n");
  torchkiln::sys::Command gzip;
  gzip.arguments = {"sh", "-c", "gzip -t \"$0\"/*.gz", folder.path().string()};
  must(torchkiln::sys::run_checked(gzip));
}

TEST_CASE("a tar header shrinks to a fraction, and noise grows by no more than its framing") {
  std::string header("opt/kiln/lib/python3.11/site-packages/torch/lib/libtorch_cuda.so");
  header.resize(512, '\0');
  CHECK(fixed_deflate(header).size() < 90);
  const auto bytes = noise(1U << 20, 7);
  CHECK(fixed_deflate(bytes).size() <= bytes.size() + 17 * 5 + 1);
}

TEST_CASE("the bytes of the encoder never change: every layer's digest is made of them") {
  // Not to be re-recorded. A change here means that every published layer gets another digest: raise
  // k_wheel_layer_recipe instead, and say why.
  const std::map<std::string, std::string> golden = {
      {"all bytes", "65058758d669a26dee5b8c79488ce1d3742ccc3acabbb22ed2658143a54b9c2b"},
      {"border", "636cf1ed8afed2f3debd5d37d35b77ab08dd193ad7a530c07d6c60d4bcd0d730"},
      {"distances", "05c60bac3fb081088666b9852b4db45f5e9215e102cca292f231bc2dad91f0b5"},
      {"empty", "9b4fb24edd6d1d8830e272398263cdbf026b97392cc35387b991dc0248a628f9"},
      {"exactly one block", "f0266fa77279cb8c4838f0439d35ba40e81038c2679b37fd694b17bab91143a1"},
      {"few letters", "377bd10331b99d4fb0493af51c749bdebb4d380bdef8267536bdc5b6c0f0c469"},
      {"lengths", "9500eb6fcf5fb68daed41e5d9011903378cad277dfc04c6184c9fa3ac7bda3e4"},
      {"long run", "b82949d43a3e351a4c140a35dd1e6ff8a619cfa20cf9ccf2063545d2ad5c9db7"},
      {"mixed", "c0e5a30c34f9899af5e0d1fb648e970a0c887ed58f2eee9b4508dde8b68ada23"},
      {"noise", "b442634a00933f88afa580dc552cafcdbd46214baa546e10315f7108dce4fb14"},
      {"one byte", "f5b976feaac71fd875e2850ce8a0f229ad2fe83beab9d1284fe2a75f1e172a56"},
      {"one more than a block", "5545f3ed043eeb134147ff8a328580b46780ccafa4aa0deaf43e4c1ad5b0c2bf"},
      {"two bytes", "4b9b8bf94dcd24e24d322813376e7af7cd706b25082994716ee419cd140215a0"},
      {"two letters", "a443fc9c07733bbbf9e0532bae6b2365611a20771ba89aa7d33b569112ef22f2"},
      {"zero block", "c54d6ad51d782f3d97f549e87531ac53b8294b3921763603d52dd8ced76bde1b"},
  };
  CHECK(golden.size() == inputs().size());
  for (const auto& [name, bytes] : inputs()) {
    INFO(name);
    const auto digest = Digest::of(fixed_deflate(bytes)).hex();
    CHECK(digest == (golden.count(name) ? golden.at(name) : ""));
  }
}

TEST_CASE("a gzip member has no name, no time and no system in its header") {
  CHECK(gzip_member("") == std::string("\x1f\x8b\x08\0\0\0\0\0\0\xff\x03\0\0\0\0\0\0\0\0\0", 20));
  CHECK(gzip_member("a").substr(0, 10) == torchkiln::layer::gzip_header());
  CHECK(torchkiln::layer::gzip_trailer(0x01020304, 0x1'0000'0005ULL) == std::string("\4\3\2\1\5\0\0\0", 8));
}
