#include "assembly/layer/convert_layer.hpp"

#include "assembly/layer/base_layer.hpp"
#include "assembly/layer/wheel_layer.hpp"
#include "assembly/layer/zstd_writer.hpp"
#include "foundation/base/text.hpp"
#include "foundation/sys/process.hpp"
#include "support/test_folder.hpp"
#include "support/zip_builder.hpp"

#include <catch2/catch.hpp>

using namespace torchkiln::layer;
using torchkiln::base::Digest;
using torchkiln::base::ErrorCode;
using torchkiln::sys::BlobStore;
using torchkiln::test::error_of;
using torchkiln::test::must;
using torchkiln::test::TestFolder;
using torchkiln::test::WheelBuilder;
using torchkiln::wheel::InstallScheme;
using torchkiln::wheel::Wheel;

namespace {

/// Bytes that do not compress to nothing.
std::string noise(std::size_t size) {
  std::string bytes(size, '\0');
  std::uint32_t state = 1;
  for (char& c : bytes) c = static_cast<char>((state = state * 1664525 + 1013904223) >> 28 | 0x40);
  return bytes;
}

struct Layer {
  TestFolder folder;
  BlobStore store{folder.path("blobs")};
  LayerFacts facts;

  Layer() {
    WheelBuilder builder;
    builder.files["demo/__init__.py"] = {"x = 1\n"};
    builder.files["demo/large.bin"] = {noise(20'000'000)};
    builder.files["demo/stored.bin"] = {"as it is", 0100644, 0};
    builder.files["demo/empty"] = {""};
    builder.files["demo/program"] = {"#!/bin/sh\n", 0100755};
    builder.files["demo/" + std::string(120, 'n') + "/" + std::string(150, 'm')] = {"a long name\n"};
    const auto wheel = must(Wheel::open(folder.write("w", builder.bytes()), builder.file_name()));
    facts = must(make_wheel_layer(std::span(&wheel, 1), InstallScheme(), store));
  }
  ConvertedLayer convert(LayerFormat format, unsigned threads = 1) const {
    return must(convert_layer(facts, format, store, threads));
  }
  std::string path(const LayerFacts& of) const { return store.path(of.digest).string(); }
  std::string run(std::vector<std::string> arguments) const {
    torchkiln::sys::Command command;
    command.arguments = std::move(arguments);
    return must(torchkiln::sys::run_checked(command)).output;
  }
};

}  // namespace

TEST_CASE("a raw layer is the tar itself") {
  const Layer t;
  const auto raw = t.convert(LayerFormat::raw);
  CHECK(
      (raw.facts == LayerFacts{t.facts.diff_id, t.facts.unpacked_bytes, t.facts.diff_id, t.facts.unpacked_bytes}));
  CHECK(must(t.store.contains_whole(raw.facts.digest)));
}

TEST_CASE("a zstd layer is one frame that states its size, read by zstd, with the same tar inside") {
  const Layer t;
  const auto zstd = t.convert(LayerFormat::zstd);
  CHECK(must(t.store.contains_whole(zstd.facts.digest)));
  CHECK(zstd.facts.diff_id == t.facts.diff_id);
  CHECK(zstd.facts.size_bytes < t.facts.unpacked_bytes);
  t.run({"zstd", "-q", "-t", t.path(zstd.facts)});
  CHECK(t.run({"sh", "-c", "zstd -q -d -c < \"$0\" | sha256sum | cut -c1-64", t.path(zstd.facts)}) ==
        t.facts.diff_id.hex() + "\n");
  CHECK_THAT(t.run({"zstd", "-l", "-v", t.path(zstd.facts)}), Catch::Matchers::Contains("Zstandard Frames: 1\n"));
  CHECK_THAT(t.run({"zstd", "-l", "-v", t.path(zstd.facts)}),
             Catch::Matchers::Contains("(" + std::to_string(t.facts.unpacked_bytes) + " B)"));
}

TEST_CASE("a zstd layer does not depend on the number of threads") {
  const Layer t;
  CHECK((t.convert(LayerFormat::zstd, 1) == t.convert(LayerFormat::zstd, 3)));
}

TEST_CASE("a single-member layer is read whole by readers that stop after the first member") {
  const Layer t;
  const auto single = t.convert(LayerFormat::gzip_single_member);
  CHECK(must(t.store.contains_whole(single.facts.digest)));
  CHECK(single.facts.diff_id == t.facts.diff_id);
  CHECK(t.run({"python3", "-c", R"(
import hashlib, sys, zlib
blob = open(sys.argv[1], 'rb').read()
reader = zlib.decompressobj(31)  # one gzip member
tar = reader.decompress(blob)
assert reader.eof and reader.unused_data == b'', len(reader.unused_data)
print(hashlib.sha256(tar).hexdigest())
many = zlib.decompressobj(31)
many.decompress(open(sys.argv[2], 'rb').read())
print(many.eof and many.unused_data != b''))",
               t.path(single.facts), t.path(t.facts)}) == t.facts.diff_id.hex() + "\nTrue\n");
  t.run({"sh", "-c", "gzip -t < \"$0\"", t.path(single.facts)});
  // Copied, but for a few bytes a member.
  CHECK(single.facts.size_bytes < t.facts.size_bytes + 200);
}

TEST_CASE("deflate streams of every kind of last block and every number of spare bits can be joined") {
  // Files whose streams end at different bits: made by zlib, by its fixed codes, and stored.
  WheelBuilder builder;
  const TestFolder folder;
  const BlobStore store(folder.path("blobs"));
  torchkiln::sys::Command command;
  command.arguments = {"python3", "-c", R"(
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], 'w', zipfile.ZIP_DEFLATED) as z:
    for i in range(64):
        z.writestr(f'd/{i}', bytes((i * 7 + j * j) % (1 + i) for j in range(i * i * 3 + 1)))
    for i in range(20):
        z.writestr(f'd/short{i}', 'a' * i)
    z.writestr('d-1.0.dist-info/METADATA', 'Metadata-Version: 2.1\nName: d\nVersion: 1.0\n')
    z.writestr('d-1.0.dist-info/WHEEL', 'Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n')
    z.writestr('d-1.0.dist-info/RECORD', ''))",
                       folder.path("d.whl").string()};
  must(torchkiln::sys::run_checked(command));
  const auto wheel = must(Wheel::open(folder.path("d.whl"), "d-1.0-py3-none-any.whl"));
  const auto facts = must(make_wheel_layer(std::span(&wheel, 1), InstallScheme(), store));
  const auto single = must(convert_layer(facts, LayerFormat::gzip_single_member, store, 1));
  command.arguments = {"python3", "-c", R"(
import hashlib, sys, zlib
reader = zlib.decompressobj(31)
tar = reader.decompress(open(sys.argv[1], 'rb').read())
assert reader.eof and reader.unused_data == b''
print(hashlib.sha256(tar).hexdigest()))",
                       store.path(single.facts.digest).string()};
  CHECK(must(torchkiln::sys::run_checked(command)).output == facts.diff_id.hex() + "\n");
}

TEST_CASE("an eStargz layer has a table of contents that leads to every file, and is a tar with one more file") {
  const Layer t;
  const auto estargz = t.convert(LayerFormat::estargz);
  CHECK(must(t.store.contains_whole(estargz.facts.digest)));
  CHECK(estargz.facts.diff_id != t.facts.diff_id);
  // A reader of our own, written after stargz-snapshotter's docs/estargz.md.
  const auto read = t.run({"python3", "-c", R"(
import gzip, hashlib, io, json, stat, sys, tarfile, zlib
blob, plain = (open(path, 'rb').read() for path in sys.argv[1:3])

footer = blob[-51:]
assert footer[:10] == bytes([0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff]) and footer[10:12] == b'\x1a\x00'
assert footer[12:14] == b'SG' and footer[14:16] == b'\x16\x00' and footer[32:38] == b'STARGZ'
assert gzip.decompress(footer) == b''
offset = int(footer[16:32], 16)
toc_tar = tarfile.open(fileobj=io.BytesIO(zlib.decompressobj(31).decompress(blob[offset:])))
(member,) = toc_tar.getmembers()
assert member.name == 'stargz.index.json'
table = toc_tar.extractfile(member).read()
toc = json.loads(table)
assert toc['version'] == 1

tar = gzip.decompress(blob)
names = []
for entry, member in zip(toc['entries'], tarfile.open(fileobj=io.BytesIO(tar)), strict=False):
    names.append(entry['name'].rstrip('/'))
    assert names[-1] == member.name
    assert entry['mode'] == member.mode and entry['uid'] == member.uid and entry['gid'] == member.gid
    assert entry['modtime'] == '1980-01-01T00:00:00Z'
    assert entry['type'] == ('dir' if member.isdir() else 'reg')
    if member.isreg() and member.size:
        assert entry['size'] == member.size
        reader = zlib.decompressobj(31)
        content = reader.decompress(blob[entry['offset']:])
        assert reader.eof and len(content) == member.size, entry
        digest = 'sha256:' + hashlib.sha256(content).hexdigest()
        assert digest == entry['digest'] == entry['chunkDigest'], entry
    else:
        assert 'offset' not in entry
before = [m.name for m in tarfile.open(fileobj=io.BytesIO(gzip.decompress(plain)))]
after = [m.name for m in tarfile.open(fileobj=io.BytesIO(tar))]
assert names == before and after == before + ['stargz.index.json']
print('sha256:' + hashlib.sha256(table).hexdigest(), 'sha256:' + hashlib.sha256(tar).hexdigest(), len(tar)))",
                           t.path(estargz.facts), t.path(t.facts)});
  CHECK(read == estargz.table_digest.to_string() + " " + estargz.facts.diff_id.to_string() + " " +
                    std::to_string(estargz.facts.unpacked_bytes) + "\n");
  t.run({"sh", "-c", "gzip -t < \"$0\"", t.path(estargz.facts)});
}

TEST_CASE("an eStargz layer of a Debian base has owners, links, devices and attributes in its table") {
  const TestFolder folder;
  const BlobStore store(folder.path("blobs"));
  torchkiln::sys::Command command;
  command.arguments = {"python3", "-c", R"(
import io, sys, tarfile
with tarfile.open(sys.argv[1], 'w', format=tarfile.PAX_FORMAT) as tar:
    def add(name, type=tarfile.REGTYPE, data=b'', **fields):
        info = tarfile.TarInfo(name)
        info.type, info.size, info.mtime = type, len(data), 1700000000
        for key, value in fields.items():
            setattr(info, key, value)
        tar.addfile(info, io.BytesIO(data))
    add('./', tarfile.DIRTYPE, mode=0o755)
    add('./bin', tarfile.SYMTYPE, linkname='usr/bin')
    add('./file', data=b'f' * 700, uid=7, gid=4294967290, uname='lp', mode=0o4755)
    add('./again', tarfile.LNKTYPE, linkname='./file')
    add('./ping', data=b'p', pax_headers={'SCHILY.xattr.security.capability': 'cap'})
    add('./null', tarfile.CHRTYPE, devmajor=1, devminor=3)
    add('./pipe', tarfile.FIFOTYPE)
    add('./large', data=bytes(range(256)) * 40000))",
                       folder.path("base.tar").string()};
  must(torchkiln::sys::run_checked(command));
  const auto facts = must(compress_tar(folder.path("base.tar"), store, 1));
  const auto made = must(convert_layer(facts, LayerFormat::estargz, store, 1));
  command.arguments = {"python3", "-c", R"(
import gzip, io, json, sys, tarfile
tar = tarfile.open(fileobj=io.BytesIO(gzip.decompress(open(sys.argv[1], 'rb').read())))
for entry in json.load(tar.extractfile('stargz.index.json'))['entries']:
    entry.pop('offset', None), entry.pop('chunkDigest', None)
    entry['digest'] = entry.get('digest', '')[:11]
    assert entry.pop('modtime') == '2023-11-14T22:13:20Z'
    print(json.dumps(entry)))",
                       store.path(made.facts.digest).string()};
  CHECK(must(torchkiln::sys::run_checked(command)).output ==
        R"({"name": "./", "type": "dir", "mode": 493, "uid": 0, "gid": 0, "digest": ""}
{"name": "./bin", "type": "symlink", "mode": 420, "uid": 0, "gid": 0, "linkName": "usr/bin", "digest": ""}
{"name": "./file", "type": "reg", "mode": 2541, "uid": 7, "gid": 4294967290, "userName": "lp", "size": 700, "digest": "sha256:)" +
            Digest::of(std::string(700, 'f')).hex().substr(0, 4) + R"("}
{"name": "./again", "type": "hardlink", "mode": 420, "uid": 0, "gid": 0, "linkName": "./file", "digest": ""}
{"name": "./ping", "type": "reg", "mode": 420, "uid": 0, "gid": 0, "xattrs": {"security.capability": "Y2Fw"}, "size": 1, "digest": "sha256:)" +
            Digest::of("p").hex().substr(0, 4) + R"("}
{"name": "./null", "type": "char", "mode": 420, "uid": 0, "gid": 0, "devMajor": 1, "devMinor": 3, "digest": ""}
{"name": "./pipe", "type": "fifo", "mode": 420, "uid": 0, "gid": 0, "digest": ""}
{"name": "./large", "type": "reg", "mode": 420, "uid": 0, "gid": 0, "size": 10240000, "digest": "sha256:)" +
            [] {
              std::string large;
              for (int i = 0; i < 40000; ++i)
                for (int b = 0; b < 256; ++b) large += static_cast<char>(b);
              return Digest::of(large).hex().substr(0, 4);
            }() +
            "\"}\n");
}

TEST_CASE("a conversion is always of the same bytes") {
  const Layer a, b;
  for (const auto format :
       {LayerFormat::gzip_single_member, LayerFormat::zstd, LayerFormat::raw, LayerFormat::estargz})
    CHECK((a.convert(format) == b.convert(format)));
  CHECK((a.convert(LayerFormat::gzip) == ConvertedLayer{a.facts, {}}));
}

TEST_CASE("a layer that is damaged in the cache is not converted, and nothing is left") {
  const Layer t;
  auto bytes = must(torchkiln::sys::read_file(t.store.path(t.facts.digest)));
  const auto before = must(torchkiln::sys::list_directory(t.folder.path("blobs/sha256"))).size();
  for (const std::size_t at : {std::size_t{0}, bytes.size() / 2, bytes.size() - 6}) {
    auto damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    must(torchkiln::sys::write_file(t.store.path(t.facts.digest), damaged, 0444));
    for (const auto format :
         {LayerFormat::gzip_single_member, LayerFormat::zstd, LayerFormat::raw, LayerFormat::estargz}) {
      const auto error = error_of(convert_layer(t.facts, format, t.store, 1));
      CHECK(error.code == ErrorCode::integrity_failed);
    }
  }
  must(torchkiln::sys::write_file(t.store.path(t.facts.digest), bytes.substr(0, bytes.size() - 9), 0444));
  CHECK(error_of(convert_layer(t.facts, LayerFormat::raw, t.store, 1)).code == ErrorCode::integrity_failed);
  CHECK(must(torchkiln::sys::list_directory(t.folder.path("blobs/sha256"))).size() == before);
}

TEST_CASE("a conversion's catalog key names the format, and of zstd the library's version and parameters") {
  const auto digest = Digest::of("layer");
  CHECK(converted_key(digest, LayerFormat::raw) == Digest::of("raw/1\n" + digest.hex()).hex());
  CHECK(converted_key(digest, LayerFormat::zstd) == Digest::of(zstd_recipe() + "\n" + digest.hex()).hex());
  CHECK_THAT(zstd_recipe(), Catch::Matchers::Matches("zstd-1\\.[0-9.]+/level=3,window=23,job=8M,overlap=6"));
}
