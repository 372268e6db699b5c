#include "proof/verify/installed.hpp"

#include "foundation/base/text.hpp"
#include "foundation/sys/files.hpp"
#include "knowledge/wheel/wheel.hpp"

#include <algorithm>
#include <functional>
#include <map>

namespace torchkiln::verify {

using base::Result;

namespace {

/// Gives each field of the first paragraph of `text` to `take`, continuation lines joined by line feeds; what is
/// behind the paragraph.
std::string_view read_paragraph(std::string_view text,
                                const std::function<void(std::string_view key, const std::string& value)>& take) {
  std::string key, value;
  const auto give = [&] {
    if (!key.empty()) take(key, value);
    key.clear();
  };
  while (!text.empty()) {
    const auto end = text.find('\n');
    auto line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) break;
    if (line.front() == ' ' || line.front() == '\t') {
      if (!key.empty()) value += "\n" + std::string(base::trim(line));
      continue;
    }
    give();
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    key = line.substr(0, colon);
    value = base::trim(line.substr(colon + 1));
  }
  give();
  return text;
}

/// A value of os-release without its quotes; escapes do not occur in what is asked for.
std::string unquoted(std::string_view value) {
  value = base::trim(value);
  if (value.size() >= 2 && (value.front() == '"' || value.front() == '\'') && value.back() == value.front())
    value = value.substr(1, value.size() - 2);
  return std::string(value);
}

}  // namespace

WheelMetadata read_wheel_metadata(std::string_view text) {
  constexpr std::string_view k_license_classifier = "License :: ";
  WheelMetadata metadata;
  read_paragraph(text, [&](std::string_view key, const std::string& value) {
    if (key == "Name") metadata.name = wheel::normalized_name(value);
    if (key == "Version") metadata.version = value;
    if (key == "License-Expression") metadata.license_expression = value;
    if (key == "License") metadata.license = value;
    if (key == "Classifier" && value.starts_with(k_license_classifier))
      metadata.license_classifiers.push_back(value.substr(k_license_classifier.size()));
  });
  auto& classifiers = metadata.license_classifiers;
  std::sort(classifiers.begin(), classifiers.end());
  classifiers.erase(std::unique(classifiers.begin(), classifiers.end()), classifiers.end());
  return metadata;
}

std::vector<DebStatus> read_dpkg_status(std::string_view text) {
  std::vector<DebStatus> packages;
  while (!text.empty()) {
    DebStatus package;
    bool is_installed = true;
    text = read_paragraph(text, [&](std::string_view key, const std::string& value) {
      if (key == "Package") package.name = value;
      if (key == "Version") package.version = value;
      if (key == "Architecture") package.architecture = value;
      // Three words: what is wanted, whether something went wrong, and the state.
      if (key == "Status") is_installed = value.ends_with(" installed");
    });
    if (is_installed && !package.name.empty() && !package.version.empty()) packages.push_back(std::move(package));
  }
  return packages;
}

Result<std::vector<DebStatus>> installed_debs(const ImageTree& tree) {
  std::map<std::pair<std::string, std::string>, DebStatus> packages;
  const auto read = [&](const ImageTree::Entry& file) -> Result<void> {
    TK_TRY(const auto text, sys::read_file(file.place));
    for (auto& package : read_dpkg_status(text))
      packages.insert_or_assign({package.name, package.architecture}, package);
    return {};
  };
  if (const auto* status = tree.file("var/lib/dpkg/status")) TK_CHECK(read(*status));
  const auto [begin, end] = tree.below("var/lib/dpkg/status.d");
  for (auto at = begin; at != end; ++at)
    if (at->second.kind == ImageTree::Kind::file && !at->first.ends_with(".md5sums")) TK_CHECK(read(at->second));
  std::vector<DebStatus> sorted;
  for (auto& [key, package] : packages) sorted.push_back(std::move(package));
  return sorted;
}

OsRelease read_os_release(std::string_view text) {
  OsRelease release;
  for (const auto line : base::lines(text)) {
    if (line.starts_with("ID=")) release.id = unquoted(line.substr(3));
    if (line.starts_with("VERSION_ID=")) release.version_id = unquoted(line.substr(11));
  }
  return release;
}

}  // namespace torchkiln::verify
