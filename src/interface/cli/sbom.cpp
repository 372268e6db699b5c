// torchkiln sbom: what an image consists of, or how it was made, as a document that other programs read.

#include "foundation/sys/files.hpp"
#include "interface/cli/commands.hpp"
#include "interface/cli/open_image.hpp"
#include "interface/cli/signing.hpp"
#include "proof/sbom/statement.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace torchkiln::cli {

using base::ErrorCode;
using base::fail;
using base::Result;

namespace {

struct SbomOptions {
  std::string image, format = "spdx", output, lock;
  bool is_statement = false;
};

Result<sbom::Format> read_format(const std::string& text) {
  constexpr std::array k_formats{sbom::Format::spdx, sbom::Format::cyclonedx, sbom::Format::provenance};
  const auto found =
      std::find_if(k_formats.begin(), k_formats.end(), [&](sbom::Format format) { return name(format) == text; });
  if (found == k_formats.end())
    return fail(ErrorCode::usage, "--format '" + text + "' is none of spdx, cyclonedx, provenance");
  return *found;
}

Result<int> run_sbom(const SbomOptions& options, Session& session) {
  TK_TRY(const auto format, read_format(options.format));
  TK_TRY(const auto opened, open_image(options.image, ImageContent::layers_to_unpack, session));
  TK_TRY(const auto lock, find_lock(options.lock, opened, session));
  const auto* known_lock = lock ? &*lock : nullptr;
  TK_CHECK(session.take_cache());
  TK_TRY(const auto inventory,
         sbom::take_inventory(opened.layout, opened.image, known_lock, session.cache(), session.progress()));
  std::string bytes;
  if (options.is_statement) {
    TK_TRY(auto statement, sbom::to_statement(format, inventory, known_lock, TORCHKILN_VERSION));
    bytes = std::move(statement.bytes);
  } else {
    TK_TRY(const auto document, sbom::to_document(format, inventory, known_lock, TORCHKILN_VERSION));
    TK_TRY(bytes, document::to_bytes(document));
  }
  bytes += '\n';
  if (options.output.empty()) {
    session.print(bytes, bytes);
    return 0;
  }
  TK_CHECK(sys::write_file(options.output, bytes));
  const auto image = inventory.image.to_string();
  const auto count = inventory.components.size();
  TK_CHECK(session.print(
      fmt::format("{} of {}\n  components {}\n  file       {}\n", name(format), image, count, options.output),
      document::Json{{"schema", "torchkiln.sbom/1"},
                     {"image", image},
                     {"format", name(format)},
                     {"statement", options.is_statement},
                     {"components", count},
                     {"file", options.output}}));
  return 0;
}

}  // namespace

void add_sbom(CLI::App& program, Action& chosen) {
  auto* command = program.add_subcommand("sbom", "List what an image consists of, or say how it was made");
  auto options = std::make_shared<SbomOptions>();
  command->add_option("image", options->image, k_image_forms)->required()->type_name("IMAGE");
  command
      ->add_option("--format", options->format,
                   "spdx (2.3, the default), cyclonedx (1.6) or provenance (SLSA v1), as JSON")
      ->type_name("FORMAT");
  command
      ->add_option("--lock", options->lock,
                   "The lock that the image was made from (default: kiln.lock here, if it is that one)")
      ->type_name("FILE");
  command->add_flag("--statement", options->is_statement,
                    "Wrap it in an in-toto statement on the image's digest, for a signature");
  command->add_option("-o,--output", options->output, "Where it goes (default: standard output)")
      ->type_name("FILE");
  command->callback(
      [&chosen, options] { chosen = [options](Session& session) { return run_sbom(*options, session); }; });
}

}  // namespace torchkiln::cli
