#include "knowledge/upstream/simple_index.hpp"

#include "foundation/base/text.hpp"
#include "foundation/document/json.hpp"
#include "foundation/sys/http.hpp"

#include <algorithm>
#include <functional>
#include <map>

namespace torchkiln::upstream {

using base::ErrorCode;
using base::fail;
using base::Result;

namespace {

/// JSON pages are flat: files, their hashes, and what a file's metadata hashes to.
constexpr unsigned k_page_depth = 8;

base::Unexpected bad_page(const std::string& url, const std::string& what) {
  return fail(ErrorCode::input_invalid, base::without_credentials(url) + " is no page of a package index: " + what,
              {"the address of a Python package index ends in /simple, as a rule"});
}

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

void append_utf8(std::string& text, std::uint32_t code) {
  if (code < 0x80) {
    text += static_cast<char>(code);
  } else if (code < 0x800) {
    text += static_cast<char>(0xc0 | (code >> 6));
    text += static_cast<char>(0x80 | (code & 0x3f));
  } else {
    text += static_cast<char>(0xe0 | (code >> 12));
    text += static_cast<char>(0x80 | ((code >> 6) & 0x3f));
    text += static_cast<char>(0x80 | (code & 0x3f));
  }
}

/// The character that "&name;" stands for; nothing for names that pages of an index have no use for.
std::optional<std::uint32_t> character(std::string_view name) {
  if (name == "amp") return '&';
  if (name == "lt") return '<';
  if (name == "gt") return '>';
  if (name == "quot") return '"';
  if (name == "apos") return '\'';
  if (!name.starts_with('#')) return std::nullopt;
  name.remove_prefix(1);
  const bool hex = name.starts_with('x') || name.starts_with('X');
  if (hex) name.remove_prefix(1);
  std::uint32_t code = 0;
  for (const char c : name) {
    const char low = c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
    const int digit = low >= '0' && low <= '9' ? low - '0' : hex && low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
    if (digit < 0) return std::nullopt;
    code = code * (hex ? 16 : 10) + static_cast<std::uint32_t>(digit);
    if (code > 0xffff) return std::nullopt;
  }
  if (name.empty() || code == 0) return std::nullopt;
  return code;
}

/// `text` with its character references (HTML, "Character references") replaced.
std::string unescaped(std::string_view text) {
  std::string result;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '&') {
      const auto end = text.substr(at, 12).find(';');
      const auto code = end == std::string_view::npos ? std::nullopt : character(text.substr(at + 1, end - 1));
      if (code) {
        append_utf8(result, *code);
        at += end;
        continue;
      }
    }
    result += text[at];
  }
  return result;
}

std::string percent_decoded(std::string_view text) {
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  };
  std::string result;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '%' && at + 2 < text.size() && digit(text[at + 1]) >= 0 && digit(text[at + 2]) >= 0) {
      result += static_cast<char>(digit(text[at + 1]) * 16 + digit(text[at + 2]));
      at += 2;
    } else {
      result += text[at];
    }
  }
  return result;
}

using Attributes = std::map<std::string, std::string>;

/// The attributes between a tag's name and its '>'.
Attributes parse_attributes(std::string_view text) {
  Attributes attributes;
  std::size_t at = 0;
  const auto skip = [&](auto&& wanted) {
    const auto begin = at;
    while (at < text.size() && wanted(text[at])) ++at;
    return text.substr(begin, at - begin);
  };
  while (at < text.size()) {
    skip([](char c) { return is_space(c) || c == '/' || c == '='; });
    const auto key = skip([](char c) { return !is_space(c) && c != '=' && c != '/'; });
    skip(is_space);
    std::string_view value;
    if (at < text.size() && text[at] == '=') {
      ++at;
      skip(is_space);
      if (at < text.size() && (text[at] == '"' || text[at] == '\'')) {
        const char quote = text[at++];
        value = skip([quote](char c) { return c != quote; });
        if (at < text.size()) ++at;
      } else {
        value = skip([](char c) { return !is_space(c); });
      }
    }
    if (!key.empty()) attributes.emplace(base::lower(key), unescaped(value));  // the first one counts
  }
  return attributes;
}

/// Where the tag that begins before `at` ends: the '>' outside quotation marks.
std::size_t tag_end(std::string_view page, std::size_t at) {
  char quote = 0;
  for (; at < page.size(); ++at) {
    const char c = page[at];
    if (quote != 0) {
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '>') {
      return at;
    }
  }
  return std::string_view::npos;
}

/// Calls `take` with every "a" and "meta" tag of the page.
Result<void> each_tag(std::string_view page, const std::string& url,
                      const std::function<Result<void>(std::string_view, const Attributes&)>& take) {
  if (page.size() > k_page_limit_bytes)
    return bad_page(url, "it has more than " + base::format_bytes(k_page_limit_bytes));
  for (std::size_t at = page.find('<'); at != std::string_view::npos; at = page.find('<', at)) {
    if (page.substr(at).starts_with("<!--")) {
      const auto end = page.find("-->", at + 4);
      if (end == std::string_view::npos) return bad_page(url, "a comment does not end");
      at = end + 3;
      continue;
    }
    const auto begin = ++at;
    while (at < page.size() && !is_space(page[at]) && page[at] != '>') ++at;
    const auto name = base::lower(page.substr(begin, std::min<std::size_t>(at - begin, 16)));
    if (name != "a" && name != "meta") continue;
    const auto end = tag_end(page, at);
    if (end == std::string_view::npos) return bad_page(url, "a tag does not end");
    if (end - at > k_page_text_limit_bytes) return bad_page(url, "a tag is longer than any address");
    TK_CHECK(take(name, parse_attributes(page.substr(at, end - at))));
    at = end;
  }
  return {};
}

/// A "sha256=…" fragment; a none digest for another algorithm.
base::Digest fragment_digest(std::string_view text) {
  if (!text.starts_with("sha256=")) return {};
  const auto digest = base::Digest::parse(text.substr(7));
  return digest ? *digest : base::Digest();
}

/// The link's absolute address, its file name and its fragment.
struct Target {
  Link link;
  std::string fragment;
};
std::optional<Target> target_of(const std::string& page_url, const std::string& reference) {
  auto address = sys::absolute_url(page_url, reference);
  if (!address) return std::nullopt;
  Target target;
  if (const auto hash = address->find('#'); hash != std::string::npos) {
    target.fragment = address->substr(hash + 1);
    address->resize(hash);
  }
  const auto path = std::string_view(*address).substr(0, address->find('?'));
  const auto last = path.substr(0, path.find_last_not_of('/') + 1);
  target.link = {percent_decoded(last.substr(last.rfind('/') + 1)), std::move(*address)};
  return target;
}

/// PEP 629: a reader must refuse another major version.
Result<void> check_version(const std::string& version, const std::string& url) {
  if (version.starts_with("1.")) return {};
  return bad_page(url, "it has version '" + version + "' of the interface, and 1.x is known");
}

Result<std::vector<IndexFile>> parse_html(std::string_view page, const std::string& url) {
  std::vector<IndexFile> files;
  TK_CHECK(each_tag(page, url, [&](std::string_view tag, const Attributes& attributes) -> Result<void> {
    const auto value = [&](const char* key) {
      const auto found = attributes.find(key);
      return found == attributes.end() ? std::nullopt : std::optional(found->second);
    };
    if (tag == "meta") {
      if (value("name") == "pypi:repository-version") return check_version(value("content").value_or(""), url);
      return {};
    }
    const auto reference = value("href");
    const auto target = reference ? target_of(url, *reference) : std::nullopt;
    if (!target || target->link.name.empty()) return {};
    if (files.size() == k_page_files_limit) return bad_page(url, "it has more files than any project");
    IndexFile file;
    file.name = target->link.name;
    file.url = target->link.url;
    file.digest = fragment_digest(target->fragment);
    file.requires_python = value("data-requires-python").value_or("");
    file.uploaded = value("data-upload-time").value_or("");
    file.yanked = value("data-yanked");
    // PEP 714: the old name of the attribute counts where the new one is missing.
    auto metadata = value("data-core-metadata");
    if (!metadata) metadata = value("data-dist-info-metadata");
    file.has_metadata = metadata && *metadata != "false";
    if (metadata) file.metadata_digest = fragment_digest(*metadata);
    files.push_back(std::move(file));
    return {};
  }));
  return files;
}

Result<IndexFile> parse_json_file(const document::JsonValue& item, const std::string& url) {
  IndexFile file;
  TK_TRY(const auto name, item.member("filename"));
  TK_TRY(file.name, name.text());
  TK_TRY(const auto address, item.member("url"));
  TK_TRY(const auto reference, address.text());
  if (const auto target = target_of(url, reference)) file.url = target->link.url;
  if (file.name.size() > k_page_text_limit_bytes || reference.size() > k_page_text_limit_bytes)
    return item.wrong("is longer than any file name or address");
  TK_TRY(const auto hashes, item.text_map_or_empty("hashes"));
  if (const auto sha256 = hashes.find("sha256"); sha256 != hashes.end())
    file.digest = fragment_digest("sha256=" + sha256->second);
  TK_TRY(const auto size, item.find("size"));
  if (size) {
    TK_TRY(const auto bytes, size->integer());
    if (bytes < 0) return size->wrong("must not be negative");
    file.size_bytes = static_cast<std::uint64_t>(bytes);
  }
  TK_TRY(file.uploaded, item.text_or_empty("upload-time"));
  TK_TRY(file.requires_python, item.text_or_empty("requires-python"));
  TK_TRY(const auto yanked, item.find("yanked"));
  if (yanked && yanked->json().is_string())
    file.yanked = yanked->json().get<std::string>();
  else if (yanked && yanked->json() == true)
    file.yanked = "";
  TK_TRY(auto metadata, item.find("core-metadata"));
  if (!metadata) {
    TK_TRY(metadata, item.find("dist-info-metadata"));
  }
  if (metadata && metadata->json().is_object()) {
    TK_TRY(const auto sums,
           item.text_map_or_empty(item.json().contains("core-metadata") ? "core-metadata" : "dist-info-metadata"));
    file.has_metadata = true;
    if (const auto sha256 = sums.find("sha256"); sha256 != sums.end())
      file.metadata_digest = fragment_digest("sha256=" + sha256->second);
  } else if (metadata) {
    file.has_metadata = metadata->json() == true;
  }
  return file;
}

Result<std::vector<IndexFile>> parse_json(std::string_view page, const std::string& url) {
  TK_TRY(const auto root,
         document::JsonValue::parse(page, base::without_credentials(url), {k_page_limit_bytes, k_page_depth}));
  TK_TRY(const auto meta, root.member("meta"));
  TK_TRY(const auto version, meta.text_or_empty("api-version"));
  TK_CHECK(check_version(version, url));
  TK_TRY(const auto list, root.member("files"));
  TK_TRY(const auto items, list.items());
  if (items.size() > k_page_files_limit) return bad_page(url, "it has more files than any project");
  std::vector<IndexFile> files;
  for (const auto& item : items) {
    TK_TRY(auto file, parse_json_file(item, url));
    if (!file.url.empty()) files.push_back(std::move(file));
  }
  return files;
}

}  // namespace

Result<std::vector<IndexFile>> parse_project_page(std::string_view page, const std::string& url) {
  const auto text = base::trim(page);
  if (text.starts_with('{')) return parse_json(text, url);
  if (!text.starts_with('<')) return bad_page(url, "it is neither HTML nor JSON");
  return parse_html(text, url);
}

Result<std::vector<Link>> parse_links(std::string_view page, const std::string& url) {
  std::vector<Link> links;
  TK_CHECK(each_tag(page, url, [&](std::string_view tag, const Attributes& attributes) -> Result<void> {
    const auto reference = attributes.find("href");
    if (tag != "a" || reference == attributes.end()) return {};
    if (links.size() == k_page_files_limit) return bad_page(url, "it has more links than any folder");
    if (auto target = target_of(url, reference->second); target && !target->link.name.empty())
      links.push_back(std::move(target->link));
    return {};
  }));
  return links;
}

}  // namespace torchkiln::upstream
