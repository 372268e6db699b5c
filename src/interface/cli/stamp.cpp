// torchkiln stamp: sign a report and attach it to its image; stamp check: whether it has been proven enough; stamp
// show: all that has been signed about it.

#include "proof/stamp/stamp.hpp"

#include "assembly/registry/push.hpp"
#include "foundation/sys/environment.hpp"
#include "interface/cli/commands.hpp"
#include "interface/cli/gate.hpp"
#include "interface/cli/open_image.hpp"
#include "interface/cli/signing.hpp"
#include "interface/console/stamp_documents.hpp"
#include "proof/stamp/attestation_tag.hpp"
#include "proof/stamp/check.hpp"
#include "proof/stamp/show.hpp"

#include <fmt/format.h>

namespace torchkiln::cli {

using base::ErrorCode;
using base::fail;
using base::Result;

namespace {

struct MakeOptions {
  std::string image, report, lock;
  bool report_alone = false;
  KeyOptions key;
};
struct CheckOptions {
  std::string image;
  GateOptions gate;
};
struct ShowOptions {
  std::string image;
  std::vector<std::string> keys;
};

Result<int> make(const MakeOptions& options, Session& session) {
  if (options.image.empty() || options.report.empty())
    return fail(ErrorCode::usage, "stamp needs an IMAGE and --report FILE", {"torchkiln stamp --help"});
  const auto documents = options.report_alone ? Documents::left_out : Documents::signed_too;
  TK_TRY(auto opened,
         open_image(options.image, options.report_alone ? ImageContent::stamps : ImageContent::layers_to_unpack,
                    session));
  const auto* in_registry = std::get_if<oci::RegistryReference>(&opened.reference);
  if (opened.folder && !in_registry)
    return fail(ErrorCode::usage, "'" + options.image + "' has no place for a stamp",
                {"stamps lie beside an image in an OCI layout, oci:DIR, or in a registry"});
  TK_TRY(const auto report, sys::read_file(options.report));
  TK_TRY(const auto key, open_signing_key(options.key));
  stamp::StampRequest request{.report = report, .report_file = options.report};
  TK_TRY(request.valid_for_s, options.key.valid_for_s());
  if (in_registry) {
    // The tag is the registry's, and the statements lie there alone.
    opened.image.tag.clear();
    request.statements = opened.layout.directory() / "statements.jsonl";
  }
  std::optional<lock::Lock> lock;
  if (documents == Documents::signed_too) {
    TK_TRY(lock, find_lock(options.lock, opened, session));
    TK_CHECK(session.take_cache());
  }
  TK_TRY(const auto stamp,
         sign(opened.layout, opened.image, request, lock ? &*lock : nullptr, documents, key, session));
  if (in_registry) {
    TK_TRY(const auto repository, session.registries().repository(*in_registry));
    TK_CHECK(registry::push_referrers(opened.layout, opened.image.descriptor.digest, repository, {}));
    TK_CHECK(stamp::push_attestation_tag(opened.layout, opened.image, repository, session.cache().work()));
  }
  const auto statements = in_registry ? options.image : stamp::statements_path(opened.layout).string();
  const auto public_key = stamp::public_path(options.key.path()).string();
  TK_CHECK(session.print(fmt::format("stamped {}\n  stamp      {}\n  statements {}\n  public key {}\n",
                                     opened.image.descriptor.digest.to_string(), stamp.referrer.digest.to_string(),
                                     statements, public_key),
                         document::Json{{"schema", "torchkiln.stamp/1"},
                                        {"image", opened.image.descriptor.digest.to_string()},
                                        {"stamp", stamp.referrer.digest.to_string()},
                                        {"statements", statements},
                                        {"public_key", public_key}}));
  return 0;
}

Result<int> check(const CheckOptions& options, Session& session) {
  TK_TRY(const auto policy, policy_of(options.gate));
  TK_TRY(const auto opened, open_image(options.image, ImageContent::stamps, session));
  TK_TRY(const auto verdict, stamp::check(opened.layout, opened.image, policy, sys::now_s()));
  session.print(console::stamp_check_text(opened.image, verdict, session.paint()),
                console::stamp_check_json(opened.image, verdict));
  return verdict.is_satisfied() ? 0 : 1;
}

Result<int> show(const ShowOptions& options, Session& session) {
  TK_TRY(const auto keys, load_public_keys(options.keys));
  TK_TRY(const auto opened, open_image(options.image, ImageContent::stamps, session));
  TK_TRY(const auto shown, stamp::show(opened.layout, opened.image, keys, sys::now_s()));
  session.print(console::stamp_show_text(opened.image, shown, session.paint()),
                console::stamp_show_json(opened.image, shown));
  return 0;
}

}  // namespace

void add_stamp(CLI::App& program, Action& chosen) {
  auto* command =
      program.add_subcommand("stamp", "Sign a report and attach it to its image; or check what has been proven");
  auto making = std::make_shared<MakeOptions>();
  command->add_option("image", making->image, k_image_forms)->type_name("IMAGE");
  command->add_option("--report", making->report, "The report that 'verify' wrote")->type_name("FILE");
  command
      ->add_option("--lock", making->lock,
                   "The lock that the image was made from (default: kiln.lock here, if it is that one)")
      ->type_name("FILE");
  command->add_flag("--report-alone", making->report_alone, "Sign no bills of materials and no provenance with it");
  add_key_options(*command, making->key);
  command->require_subcommand(0, 1);

  auto* checker = command->add_subcommand("check", "Exit 0 only if a stamp proves what is required");
  auto checking = std::make_shared<CheckOptions>();
  checker->add_option("image", checking->image, k_image_forms)->required()->type_name("IMAGE");
  add_gate_options(*checker, checking->gate);

  auto* shower = command->add_subcommand("show", "On which GPUs and drivers an image has been proven, and until when");
  auto showing = std::make_shared<ShowOptions>();
  shower->add_option("image", showing->image, k_image_forms)->required()->type_name("IMAGE");
  shower->add_option("--pub", showing->keys, "Public key of somebody you trust; may be repeated (default: your own)")
      ->type_name("FILE")
      ->allow_extra_args(false);

  command->callback([&chosen, checker, shower, making, checking, showing] {
    if (checker->parsed())
      chosen = [checking](Session& session) { return check(*checking, session); };
    else if (shower->parsed())
      chosen = [showing](Session& session) { return show(*showing, session); };
    else
      chosen = [making](Session& session) { return make(*making, session); };
  });
}

}  // namespace torchkiln::cli
