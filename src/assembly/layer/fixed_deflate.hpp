#pragma once
// A DEFLATE encoder (RFC 1951) of our own for the small parts of a layer that we write ourselves: tar headers,
// padding, scripts. Its output is part of every layer digest, so it must never change: no library's version, no
// processor feature and no option has a say in it. Compression is LZ77 with one hash probe and the fixed Huffman
// codes, which serves tar headers well (512 bytes become about 60). tests/unit/layer pins its bytes.

#include <string>
#include <string_view>

namespace torchkiln::layer {

/// One complete raw DEFLATE stream for `bytes`: fixed-Huffman blocks, or stored blocks where those are shorter.
std::string fixed_deflate(std::string_view bytes);

/// A gzip member (RFC 1952): header with no name, no time and OS 255, `fixed_deflate(bytes)`, CRC-32, size.
std::string gzip_member(std::string_view bytes);
/// The ten bytes before and the eight bytes after a raw DEFLATE stream that make it a gzip member.
std::string gzip_header();
std::string gzip_trailer(std::uint32_t crc32, std::uint64_t size_bytes);

}  // namespace torchkiln::layer
