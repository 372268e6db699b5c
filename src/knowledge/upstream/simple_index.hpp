#pragma once
// Pages of a Python package index: what files a project has. JSON (PEP 691, 700) and HTML (PEP 503, 592, 658)
// give the same. Also read here: the links of any folder listing, which is how NVIDIA's lists are found. Pure.

#include "foundation/base/digest.hpp"
#include "foundation/base/error.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::upstream {

/// The largest page that is read, in bytes. A project with 1,000 files has 0.4 MB.
inline constexpr std::uint64_t k_page_limit_bytes = 32ULL << 20;
/// The most files of a project that are read.
inline constexpr std::size_t k_page_files_limit = 100'000;
/// The longest tag, address or file name in a page, in bytes.
inline constexpr std::size_t k_page_text_limit_bytes = 16'384;

/// What a client asks for: JSON where it is offered, HTML otherwise (PEP 691, "Version + Format Selection").
inline constexpr std::string_view k_page_types =
    "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01";

/// One file of a project.
struct IndexFile {
  std::string name;     ///< "torch-2.8.0-cp311-cp311-manylinux_2_28_x86_64.whl"
  std::string url;      ///< absolute, without a fragment
  base::Digest digest;  ///< of the file; none where the page does not say
  std::optional<std::uint64_t> size_bytes = std::nullopt;
  std::string uploaded;                              ///< RFC 3339; empty where the page does not say
  std::string requires_python;                       ///< a specifier; empty: any
  std::optional<std::string> yanked = std::nullopt;  ///< the reason, which may be empty; nothing: not yanked
  bool has_metadata = false;                         ///< METADATA is offered at url + ".metadata" (PEP 658)
  base::Digest metadata_digest;                      ///< of that METADATA; none where the page does not say
  bool operator==(const IndexFile&) const = default;
};

/// The files of a project, in the page's order. `url` is where the page came from and what its links are relative
/// to. Links that are neither http nor https are left out. input_invalid for what is no such page, for another
/// major version of the interface, and over the limits above.
base::Result<std::vector<IndexFile>> parse_project_page(std::string_view page, const std::string& url);

struct Link {
  std::string name;  ///< the last part of the address's path, percent-decoded
  std::string url;   ///< absolute, without a fragment
  bool operator==(const Link&) const = default;
};
/// The links of an HTML page, in its order.
base::Result<std::vector<Link>> parse_links(std::string_view page, const std::string& url);

}  // namespace torchkiln::upstream
