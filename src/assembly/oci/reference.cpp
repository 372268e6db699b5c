#include "assembly/oci/reference.hpp"

#include <algorithm>

namespace torchkiln::oci {

using base::ErrorCode;
using base::fail;
using base::Result;

namespace {

constexpr std::size_t k_tag_limit = 128;  ///< distribution-spec, "Pulling manifests"
constexpr std::size_t k_repository_limit =
    255;  ///< host and repository together, as most clients and registries do

bool is_lower_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}
bool is_word(char c) {
  return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z') || c == '_';
}

bool is_tag(std::string_view tag) {
  return !tag.empty() && tag.size() <= k_tag_limit && is_word(tag.front()) &&
         std::all_of(tag.begin(), tag.end(), [](char c) { return is_word(c) || c == '.' || c == '-'; });
}

/// distribution's path-component: letters and digits, between them one dot, one or two underscores, or hyphens.
bool is_component(std::string_view text) {
  if (text.empty() || !is_lower_or_digit(text.front()) || !is_lower_or_digit(text.back())) return false;
  for (std::size_t i = 0; i < text.size();) {
    const auto end = std::min(text.size(), text.find_first_of("._-", i));
    if (!std::all_of(text.begin() + static_cast<std::ptrdiff_t>(i), text.begin() + static_cast<std::ptrdiff_t>(end),
                     is_lower_or_digit))
      return false;
    i = std::min(text.size(), text.find_first_not_of("._-", end));
    const auto separator = text.substr(end, i - end);
    const bool is_hyphens = separator.find_first_not_of('-') == std::string_view::npos;
    if (!is_hyphens && separator != "." && separator != "_" && separator != "__") return false;
  }
  return true;
}

/// Components between slashes: distribution's remote-name, and distribution-spec's <name>.
bool is_repository(std::string_view name) {
  if (name.size() > k_repository_limit) return false;
  for (;;) {
    const auto slash = name.find('/');
    if (!is_component(name.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    name.remove_prefix(slash + 1);
  }
}

/// distribution's domain: host names or addresses, IPv6 in brackets, with a port or without.
bool is_host(std::string_view host) {
  const auto is_port = [](std::string_view text) {
    return text.empty() || (text.size() > 1 && text.size() <= 6 && text.front() == ':' &&
                            std::all_of(text.begin() + 1, text.end(), [](char c) { return c >= '0' && c <= '9'; }));
  };
  if (host.starts_with('[')) {
    const auto end = host.find(']');
    return end != std::string_view::npos && end > 1 && is_port(host.substr(end + 1)) &&
           host.substr(1, end - 1).find_first_not_of("0123456789abcdefABCDEF:.") == std::string_view::npos;
  }
  const auto colon = std::min(host.size(), host.find(':'));
  const auto name = host.substr(0, colon);
  // docker's rule for telling a host from the first part of a repository.
  if (name != "localhost" && name.find('.') == std::string_view::npos && colon == host.size()) return false;
  const auto is_edge = [](char c) { return is_word(c) && c != '_'; };
  return !name.empty() && is_edge(name.front()) && is_edge(name.back()) && is_port(host.substr(colon)) &&
         name.find("..") == std::string_view::npos &&
         std::all_of(name.begin(), name.end(), [&](char c) { return is_edge(c) || c == '.' || c == '-'; });
}

std::vector<std::string> forms() {
  return {
      "an image is oci:DIR[:TAG], oci-archive:FILE[:TAG], docker:REF, podman:REF, or a registry's "
      "HOST/REPO:TAG or HOST/REPO@sha256:..."};
}

/// "PATH[:IMAGE]" or "PATH@sha256:HEX" of the two forms that name a layout.
Result<std::pair<std::filesystem::path, std::optional<std::string>>> split_path(std::string_view form,
                                                                                std::string_view rest) {
  const auto at = rest.find("@sha256:");
  const auto end = std::min(at, rest.find(':'));
  if (rest.substr(0, end).empty())
    return fail(ErrorCode::usage, "'" + std::string(form) + std::string(rest) + "' names no path", forms());
  std::filesystem::path path(rest.substr(0, end));
  if (end == std::string_view::npos) return std::pair(path, std::optional<std::string>());
  std::string image(rest.substr(end + 1));
  if (end == at && !base::Digest::parse(image))
    return fail(ErrorCode::usage, "'" + image + "' is no SHA-256 digest", forms());
  if (image.empty())
    return fail(ErrorCode::usage, "'" + std::string(form) + std::string(rest) + "' ends with an empty tag",
                forms());
  return std::pair(path, std::optional(image));
}

Result<ImageReference> parse_engine(Engine engine, std::string_view form, std::string_view name) {
  if (name.starts_with("//"))
    return fail(ErrorCode::usage,
                "'" + std::string(form) + std::string(name) + "' is skopeo's way to name a registry",
                {"write it without the scheme: " + std::string(name.substr(2))});
  // A name that begins with a dash would be an option of the engine's command line.
  const bool bad = name.empty() || name.front() == '-' ||
                   std::any_of(name.begin(), name.end(), [](unsigned char c) { return c <= 0x20 || c == 0x7f; });
  if (bad) return fail(ErrorCode::usage, "'" + std::string(form) + std::string(name) + "' names no image", forms());
  return ImageReference(EngineReference{engine, std::string(name)});
}

Result<RegistryReference> parse_registry(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos || !is_host(text.substr(0, slash))) {
    auto hints = forms();
    if (!text.empty()) {
      hints.push_back("a layout in the folder '" + std::string(text) + "' is oci:" + std::string(text));
      hints.push_back("an image of docker's is docker:" + std::string(text));
    }
    return fail(ErrorCode::usage, "'" + std::string(text) + "' names no registry", std::move(hints));
  }
  RegistryReference reference;
  reference.host = text.substr(0, slash);
  auto rest = text.substr(slash + 1);
  if (const auto at = rest.find('@'); at != std::string_view::npos) {
    const auto written = rest.substr(at + 1);
    const auto digest = base::Digest::parse(written);
    if (!digest || !written.starts_with("sha256:"))
      return fail(ErrorCode::usage, "'" + std::string(written) + "' is no SHA-256 digest", forms());
    reference.digest = *digest;
    rest = rest.substr(0, at);
  }
  if (const auto colon = rest.rfind(':'); colon != std::string_view::npos) {
    if (!is_tag(rest.substr(colon + 1)))
      return fail(ErrorCode::usage, "'" + std::string(rest.substr(colon + 1)) + "' is no tag");
    reference.tag = rest.substr(colon + 1);
    rest = rest.substr(0, colon);
  }
  if (!is_repository(rest))
    return fail(ErrorCode::usage, "'" + std::string(rest) + "' is no repository name",
                {"a repository is made of lower-case letters, digits and . - _ / between them"});
  reference.repository = rest;
  return reference;
}

std::string with_image(std::string text, const std::optional<std::string>& image) {
  if (image) text += (image->starts_with("sha256:") ? "@" : ":") + *image;
  return text;
}

struct Writer {
  std::string operator()(const LayoutReference& reference) const {
    return with_image("oci:" + reference.directory.string(), reference.image);
  }
  std::string operator()(const ArchiveReference& reference) const {
    return with_image("oci-archive:" + reference.file.string(), reference.image);
  }
  std::string operator()(const EngineReference& reference) const {
    return (reference.engine == Engine::docker ? "docker:" : "podman:") + reference.name;
  }
  std::string operator()(const RegistryReference& reference) const {
    auto text = reference.host + "/" + reference.repository;
    if (reference.tag) text += ":" + *reference.tag;
    if (reference.digest) text += "@" + reference.digest->to_string();
    return text;
  }
};

}  // namespace

Result<ImageReference> parse_reference(std::string_view text) {
  const auto after = [&text](std::string_view form) { return text.substr(form.size()); };
  if (text.starts_with("oci:")) {
    TK_TRY(auto parts, split_path("oci:", after("oci:")));
    return ImageReference(LayoutReference{std::move(parts.first), std::move(parts.second)});
  }
  if (text.starts_with("oci-archive:")) {
    TK_TRY(auto parts, split_path("oci-archive:", after("oci-archive:")));
    return ImageReference(ArchiveReference{std::move(parts.first), std::move(parts.second)});
  }
  if (text.starts_with("docker:")) return parse_engine(Engine::docker, "docker:", after("docker:"));
  if (text.starts_with("podman:")) return parse_engine(Engine::podman, "podman:", after("podman:"));
  TK_TRY(auto reference, parse_registry(text));
  if (!reference.tag && !reference.digest)
    return fail(ErrorCode::usage, "'" + std::string(text) + "' has neither a tag nor a digest",
                {"nothing stands for 'latest' here: add :TAG or @sha256:..."});
  return ImageReference(std::move(reference));
}

Result<RegistryReference> parse_repository(std::string_view text) {
  TK_TRY(auto reference, parse_registry(text));
  if (reference.digest)
    return fail(ErrorCode::usage, "'" + std::string(text) + "' has a digest, which nobody can choose",
                {"give HOST/REPO:TAG, or HOST/REPO for the image's own tag"});
  return reference;
}

std::string to_string(const ImageReference& reference) {
  return std::visit(Writer{}, reference);
}

}  // namespace torchkiln::oci
