// torchkiln run: a command in an image.

#include "foundation/base/text.hpp"
#include "foundation/sys/environment.hpp"
#include "interface/cli/commands.hpp"
#include "interface/cli/gate.hpp"
#include "interface/cli/open_image.hpp"
#include "interface/console/stamp_documents.hpp"
#include "proof/stamp/check.hpp"
#include "proof/verify/in_image.hpp"

namespace torchkiln::cli {

namespace {
struct RunOptions {
  std::string image;
  std::vector<std::string> command;
  bool require_stamp = false;
  GateOptions gate;
};

/// Whether the image may run; if not, why is printed.
base::Result<bool> is_let_through(const OpenedImage& opened, const GateOptions& options, Session& session) {
  TK_TRY(const auto policy, policy_of(options));
  TK_TRY(const auto verdict, stamp::check(opened.layout, opened.image, policy, sys::now_s()));
  if (!verdict.is_satisfied())
    session.print(console::stamp_check_text(opened.image, verdict, session.paint()),
                  console::stamp_check_json(opened.image, verdict));
  return verdict.is_satisfied();
}
}  // namespace

void add_run(CLI::App& program, Action& chosen) {
  auto* command = program.add_subcommand("run", "Run a command in an image, as the image's user, without network");
  auto options = std::make_shared<RunOptions>();
  command->add_option("image", options->image, k_image_forms)->required()->type_name("IMAGE");
  command->add_option("command", options->command, "What to run (default: the image's own command)")
      ->type_name("[-- COMMAND...]");
  auto* gate = command->add_flag("--require-stamp", options->require_stamp,
                                 "Run it only if stamps prove what is required, as 'stamp check' does; else exit 1");
  add_gate_options(*command, options->gate, gate);
  command->callback([&chosen, options] {
    chosen = [options](Session& session) -> base::Result<int> {
      TK_TRY(const auto reference, oci::parse_reference(options->image));
      const auto* engine = std::get_if<oci::EngineReference>(&reference);
      // An engine runs what it holds itself; what is asked for here is only how.
      if (engine && options->require_stamp)
        return base::fail(base::ErrorCode::usage, "'" + options->image + "' has no stamps: an engine keeps none",
                          {"name the image in a registry, HOST/REPO:TAG, or in a layout, oci:DIR:TAG"});
      TK_TRY(
          const auto opened,
          open_image(options->image, engine ? ImageContent::documents : ImageContent::layers_to_unpack, session));
      if (options->require_stamp) {
        TK_TRY(const bool may_run, is_let_through(opened, options->gate, session));
        if (!may_run) return 1;
      }
      TK_TRY(const auto manifest, opened.layout.read_manifest(opened.image.descriptor));
      TK_TRY(const auto config, opened.layout.read_config(manifest));
      TK_CHECK(session.cache().prepare());
      auto request =
          verify::request_for(config, options->command.empty() ? config.execution.command : options->command);
      request.root = runtime::RootAccess::throw_away;
      request.streams = runtime::Streams::inherited;
      auto runner = session.cache().runner();
      if (engine) {
        session.leave_cache();
        session.progress().clear();
        const auto kind =
            engine->engine == oci::Engine::docker ? runtime::RuntimeKind::docker : runtime::RuntimeKind::podman;
        TK_TRY(const auto outcome, runner.run_in_engine(kind, engine->name, request));
        return outcome.exit_status;
      }
      TK_TRY(const auto layers, runtime::layers_of(opened.layout, manifest, config));
      TK_TRY(const auto lower,
             session.cache().unpacked().unpack_all(layers, sys::processor_count(), session.progress()));
      TK_TRY(const auto kind, runner.choose());
      session.leave_cache();
      session.progress().clear();
      TK_TRY(const auto outcome, runner.run(kind, lower, request));
      return outcome.exit_status;
    };
  });
}

}  // namespace torchkiln::cli
