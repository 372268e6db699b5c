// torchkiln run: a command in an image.

#include "foundation/base/text.hpp"
#include "foundation/sys/environment.hpp"
#include "interface/cli/commands.hpp"
#include "proof/verify/in_image.hpp"

namespace torchkiln::cli {

namespace {
struct RunOptions {
  std::string image;
  std::vector<std::string> command;
};
}  // namespace

void add_run(CLI::App& program, Action& chosen) {
  auto* command = program.add_subcommand("run", "Run a command in an image, as the image's user, without network");
  auto options = std::make_shared<RunOptions>();
  command->add_option("image", options->image, "oci:DIR[:TAG]")->required()->type_name("IMAGE");
  command->add_option("command", options->command, "What to run (default: the image's own command)")
      ->type_name("[-- COMMAND...]");
  command->callback([&chosen, options] {
    chosen = [options](Session& session) -> base::Result<int> {
      TK_TRY(const auto opened, open_image(options->image));
      TK_TRY(const auto manifest, opened.layout.read_manifest(opened.image.descriptor));
      TK_TRY(const auto config, opened.layout.read_config(manifest));
      TK_CHECK(session.cache().prepare());
      std::vector<runtime::Layer> layers;
      for (std::size_t i = 0; i < manifest.layers.size(); ++i)
        layers.push_back({opened.layout.blob_path(manifest.layers[i].digest), manifest.layers[i].media_type,
                          config.diff_ids[i]});
      TK_TRY(const auto lower,
             session.cache().unpacked().unpack_all(layers, sys::processor_count(), session.progress()));
      auto runner = session.cache().runner();
      TK_TRY(const auto kind, runner.choose());
      auto request =
          verify::request_for(config, options->command.empty() ? config.execution.command : options->command);
      request.root = runtime::RootAccess::throw_away;
      request.streams = runtime::Streams::inherited;
      session.progress().clear();
      TK_TRY(const auto outcome, runner.run(kind, lower, request));
      return outcome.exit_status;
    };
  });
}

}  // namespace torchkiln::cli
