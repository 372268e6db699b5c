#include "interface/cli/open_image.hpp"

#include "assembly/oci/archive.hpp"
#include "assembly/oci/platform.hpp"
#include "assembly/registry/pull.hpp"
#include "assembly/runtime/engine_image.hpp"
#include "foundation/base/text.hpp"
#include "foundation/sys/environment.hpp"
#include "foundation/sys/workers.hpp"

#include <atomic>

namespace torchkiln::cli {

using base::Result;
namespace fs = std::filesystem;

namespace {

/// Of an index this machine's image.
Result<oci::Image> one_image(const oci::Layout& layout, oci::Image image, const std::string& name) {
  for (unsigned depth = 0; oci::is_index_type(image.descriptor.media_type) && depth < oci::k_index_depth_limit;
       ++depth) {
    TK_TRY(const auto index, layout.read_index(image.descriptor));
    TK_TRY(image.descriptor, oci::choose(index, oci::this_platform(), "", name));
  }
  return image;
}

/// Unpacks layers while others are on their way.
class Unpackers {
 public:
  Unpackers(const runtime::UnpackStore& store, const oci::Layout& layout)
      : m_store(store), m_layout(layout), m_workers(sys::processor_count()) {}

  void add(const oci::Descriptor& blob, const base::Digest& diff_id) {
    const runtime::Layer layer{m_layout.blob_path(blob.digest), blob.media_type, diff_id};
    m_workers.submit(
        [this, layer]() -> Result<void> {
          TK_CHECK(m_store.unpack(layer));
          return {};
        },
        static_cast<std::int64_t>(blob.size_bytes));
    ++m_layers;
    m_size_bytes += blob.size_bytes;
  }
  Result<void> wait(base::Progress& progress) {
    if (m_layers == 0) return {};
    base::Step step(progress, "Unpacking", std::to_string(m_layers) + (m_layers == 1 ? " layer" : " layers"));
    TK_CHECK(m_workers.wait());
    step.end(base::format_bytes(m_size_bytes));
    return {};
  }

 private:
  const runtime::UnpackStore& m_store;
  const oci::Layout& m_layout;
  std::atomic<std::size_t> m_layers = 0;
  std::atomic<std::uint64_t> m_size_bytes = 0;
  sys::Workers m_workers;
};

Result<oci::Image> pull_image(const oci::RegistryReference& reference, ImageContent content,
                              const oci::Layout& layout, Session& session) {
  registry::PullRequest request{.reference = reference, .platform = oci::this_platform()};
  request.wanted = content == ImageContent::documents ? registry::Wanted::documents
                   : content == ImageContent::stamps  ? registry::Wanted::stamps
                                                      : registry::Wanted::everything;
  const auto& unpacked = session.cache().unpacked();
  Unpackers unpackers(unpacked, layout);
  if (content == ImageContent::layers_to_unpack) {
    request.is_unpacked = [&unpacked](const base::Digest& diff_id) { return unpacked.contains(diff_id); };
    request.on_layer = [&unpackers](const oci::Descriptor& blob, const base::Digest& diff_id) {
      unpackers.add(blob, diff_id);
    };
  }
  TK_TRY(const auto sources, session.registries().sources(reference, session.progress()));
  TK_TRY(auto pulled, registry::pull(request, sources, layout, session.progress()));
  TK_CHECK(unpackers.wait(session.progress()));
  return std::move(pulled.image);
}

/// Fills the layout from wherever the reference leads.
struct Opener {
  ImageContent content;
  const oci::Layout& layout;
  Session& session;

  Result<oci::Image> operator()(const oci::LayoutReference&) const {
    TK_ASSERT(false, "a layout is opened where it is");
  }
  Result<oci::Image> operator()(const oci::ArchiveReference& reference) const {
    TK_CHECK(oci::read_archive(reference.file, layout));
    return layout.find_image(reference.image);
  }
  Result<oci::Image> operator()(const oci::EngineReference& reference) const {
    if (content == ImageContent::documents) return runtime::inspect_engine_image(reference, layout);
    return runtime::save_engine_image(reference, layout, session.cache().work());
  }
  Result<oci::Image> operator()(const oci::RegistryReference& reference) const {
    return pull_image(reference, content, layout, session);
  }
};

}  // namespace

bool is_lock(const std::string& text) {
  std::error_code error;
  return fs::is_regular_file(text, error) || !oci::parse_reference(text);
}

Result<PassingLayout> make_passing_layout(Session& session) {
  TK_CHECK(session.take_cache());
  TK_TRY(auto folder, sys::TemporaryDirectory::create(session.cache().work(), "image-"));
  const auto blobs = session.cache().root() / "blobs";
  TK_CHECK(sys::make_directories(blobs / "sha256"));
  std::error_code error;
  fs::create_directory_symlink(blobs, folder.path() / "blobs", error);
  if (error) return base::fail(sys::file_error("link", folder.path() / "blobs", error.value()));
  TK_TRY(auto layout, oci::Layout::create(folder.path()));
  return PassingLayout{std::move(folder), std::move(layout)};
}

Result<OpenedImage> open_image(const std::string& text, ImageContent content, Session& session) {
  TK_TRY(auto reference, oci::parse_reference(text));
  if (const auto* in_layout = std::get_if<oci::LayoutReference>(&reference)) {
    TK_TRY(auto layout, oci::Layout::open(in_layout->directory));
    TK_TRY(auto image, layout.find_image(in_layout->image));
    TK_TRY(image, one_image(layout, std::move(image), text));
    return OpenedImage{std::move(layout), std::move(image), std::move(reference)};
  }
  TK_TRY(auto passing, make_passing_layout(session));
  TK_TRY(auto image, std::visit(Opener{content, passing.layout, session}, reference));
  TK_TRY(image, one_image(passing.layout, std::move(image), text));
  return OpenedImage{std::move(passing.layout), std::move(image), std::move(reference), std::move(passing.folder)};
}

}  // namespace torchkiln::cli
