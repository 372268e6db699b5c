#include "knowledge/matrix/query.hpp"

#include "foundation/base/text.hpp"

#include <algorithm>
#include <array>

namespace torchkiln::matrix {

namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// The words of a GPU's name that tell it from others: lower case, without NVIDIA's brands that drivers print or
/// leave out as they like. "Quadro" stays: a Quadro RTX 6000 and an RTX 6000 Ada are different GPUs.
std::vector<std::string> telling_words(std::string_view text) {
  constexpr std::array<std::string_view, 4> k_brands{"nvidia", "geforce", "tesla", "gpu"};
  std::vector<std::string> words(1);
  for (const char c : base::lower(text)) {
    const bool part_of_word = (c >= 'a' && c <= 'z') || is_digit(c);
    if (part_of_word)
      words.back() += c;
    else if (!words.back().empty())
      words.emplace_back();
  }
  // "3090Ti" is "3090 Ti": where nothing is known of the Ti the plain card tells its generation.
  for (std::size_t i = 0; i < words.size(); ++i)
    for (const std::string_view suffix : {"ti", "super"}) {
      const auto at = words[i].size() - std::min(suffix.size(), words[i].size());
      if (at == 0 || !words[i].ends_with(suffix) || !is_digit(words[i][at - 1])) continue;
      words[i].erase(at);
      words.insert(words.begin() + static_cast<std::ptrdiff_t>(i) + 1, std::string(suffix));
      break;
    }
  std::erase_if(words, [&](const std::string& word) {
    return word.empty() || std::find(k_brands.begin(), k_brands.end(), word) != k_brands.end();
  });
  return words;
}

/// The first row that `matches`.
template <class Rows, class Matches>
auto find_row(const Rows& rows, Matches matches) -> const typename Rows::value_type* {
  const auto at = std::find_if(rows.begin(), rows.end(), matches);
  return at == rows.end() ? nullptr : &*at;
}

}  // namespace

std::string gpu_key(std::string_view text) {
  return base::join(telling_words(text), "");
}

std::optional<NamedGpu> find_gpu(const Matrix& matrix, std::string_view text) {
  if (const auto compute = version::ComputeCapability::parse(text))
    return NamedGpu{compute->sm(), *compute, nullptr};
  // The longest run of leading words that is a known name.
  std::vector<std::string> keys;
  std::string key;
  for (const auto& word : telling_words(text)) {
    key += word;
    keys.push_back(key);
  }
  const Gpu* best = nullptr;
  std::size_t best_size = 0;
  for (const auto& gpu : matrix.gpus)
    for (const auto& known : gpu.keys) {
      if (known.size() <= best_size || std::find(keys.begin(), keys.end(), known) == keys.end()) continue;
      best = &gpu;
      best_size = known.size();
    }
  if (best) return NamedGpu{best->model, best->compute, best};
  // "3090" and "1080 Ti": consumer cards go by their numbers alone.
  if (keys.empty() || !is_digit(keys.front().front())) return std::nullopt;
  for (const char* series : {"RTX ", "GTX "})
    if (const auto named = find_gpu(matrix, series + std::string(text));
        named && named->row->gpu_class == GpuClass::consumer)
      return named;
  return std::nullopt;
}

std::optional<std::string> nearest_gpu(const Matrix& matrix, std::string_view text) {
  std::vector<std::string> keys;
  std::vector<std::string> models;
  for (const auto& gpu : matrix.gpus)
    for (const auto& known : gpu.keys) {
      keys.push_back(known);
      models.push_back(gpu.model);
    }
  const auto nearest_key = base::nearest(gpu_key(text), keys);
  if (!nearest_key) return std::nullopt;
  return models[static_cast<std::size_t>(std::find(keys.begin(), keys.end(), *nearest_key) - keys.begin())];
}

const OperatingSystem* find_system(const Matrix& matrix, std::string_view id) {
  return find_row(matrix.systems, [&](const OperatingSystem& system) { return system.id == id; });
}

const CudaFamily* find_family(const Matrix& matrix, unsigned major_number) {
  return find_row(matrix.families, [&](const CudaFamily& family) { return family.major == major_number; });
}

const Toolkit* find_toolkit(const Matrix& matrix, version::CudaVersion cuda) {
  cuda.patch = 0;
  return find_row(matrix.toolkits, [&](const Toolkit& toolkit) { return toolkit.cuda == cuda; });
}

const DriverBranch* find_branch(const Matrix& matrix, unsigned branch) {
  return find_row(matrix.branches, [&](const DriverBranch& row) { return row.branch == branch; });
}

const FirstDriver* find_first_driver(const Matrix& matrix, version::ComputeCapability compute) {
  return find_row(matrix.first_drivers, [&](const FirstDriver& row) { return row.compute == compute; });
}

const Release* find_release(const Matrix& matrix, const version::Version& pytorch) {
  return find_row(matrix.releases, [&](const Release& release) { return release.pytorch == pytorch; });
}

const Companion* find_companion(const Matrix& matrix, std::string_view package, const version::Version& pytorch) {
  return find_row(matrix.companions, [&](const Companion& companion) {
    return companion.package == package &&
           std::find(companion.pytorch.begin(), companion.pytorch.end(), pytorch) != companion.pytorch.end();
  });
}

const Tombstone* find_tombstone(const Matrix& matrix, std::string_view reference) {
  const auto last_slash = reference.rfind('/');
  const auto colon = reference.find(':', last_slash == std::string_view::npos ? 0 : last_slash);
  const std::string_view image = reference.substr(0, colon);
  const std::string_view tag = colon == std::string_view::npos ? "latest" : reference.substr(colon + 1);
  const Tombstone* best = nullptr;
  for (const auto& row : matrix.tombstones) {
    const bool same_image = image == row.image || image.ends_with("/" + row.image);
    const bool is_prefix = row.tag.ends_with('*');
    const auto prefix = std::string_view(row.tag).substr(0, row.tag.size() - (is_prefix ? 1 : 0));
    if (!same_image || !(is_prefix ? tag.starts_with(prefix) : tag == prefix)) continue;
    if (!best || row.tag.size() > best->tag.size()) best = &row;
  }
  return best;
}

const Source* find_source(const Matrix& matrix, std::string_view id) {
  return find_row(matrix.sources, [&](const Source& source) { return source.id == id; });
}

}  // namespace torchkiln::matrix
