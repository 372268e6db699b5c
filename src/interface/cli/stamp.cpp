// torchkiln stamp: sign a report and attach it to its image; torchkiln stamp check: what has been proven.

#include "proof/stamp/stamp.hpp"

#include "assembly/registry/push.hpp"
#include "foundation/base/text.hpp"
#include "foundation/sys/environment.hpp"
#include "interface/cli/commands.hpp"
#include "interface/cli/open_image.hpp"
#include "proof/stamp/check.hpp"

#include <fmt/format.h>

namespace torchkiln::cli {

using base::ErrorCode;
using base::fail;
using base::Result;

namespace {

struct MakeOptions {
  std::string image, report;
  KeyOptions key;
};
struct CheckOptions {
  std::string image, level = "gpu", max_age, driver;
  std::vector<std::string> keys, gpus;
};

/// "90d", "12h", "30m", "45s" as seconds.
Result<std::int64_t> parse_age(const std::string& text) {
  const auto bad = [&] {
    return fail(ErrorCode::usage, "--max-age '" + text + "' is no age", {"for example 90d, 12h, 30m"});
  };
  if (text.empty()) return bad();
  const auto number = base::parse_integer(std::string_view(text).substr(0, text.size() - 1));
  std::int64_t unit_s = 0;
  switch (text.back()) {
    case 'd':
      unit_s = 86400;
      break;
    case 'h':
      unit_s = 3600;
      break;
    case 'm':
      unit_s = 60;
      break;
    case 's':
      unit_s = 1;
      break;
    default:
      return bad();
  }
  constexpr std::int64_t k_age_limit = 1'000'000;
  if (!number || *number <= 0 || *number > k_age_limit) return bad();
  return *number * unit_s;
}

Result<int> make(const MakeOptions& options, Session& session) {
  if (options.image.empty() || options.report.empty())
    return fail(ErrorCode::usage, "stamp needs an IMAGE and --report FILE", {"torchkiln stamp --help"});
  TK_TRY(auto opened, open_image(options.image, ImageContent::stamps, session));
  const auto* in_registry = std::get_if<oci::RegistryReference>(&opened.reference);
  if (opened.folder && !in_registry)
    return fail(ErrorCode::usage, "'" + options.image + "' has no place for a stamp",
                {"stamps lie beside an image in an OCI layout, oci:DIR, or in a registry"});
  TK_TRY(const auto report, sys::read_file(options.report));
  TK_TRY(const auto key, open_signing_key(options.key));
  stamp::StampRequest request{report, options.report};
  if (in_registry) {
    // The tag is the registry's, and the statements lie there alone.
    opened.image.tag.clear();
    request.statements = opened.layout.directory() / "statements.jsonl";
  }
  TK_TRY(const auto stamp, stamp::attach(opened.layout, opened.image, request, key));
  if (in_registry) {
    TK_TRY(const auto repository, session.registries().repository(*in_registry));
    TK_CHECK(registry::push_referrers(opened.layout, opened.image.descriptor.digest, repository, {}));
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
  TK_TRY(const auto opened, open_image(options.image, ImageContent::stamps, session));
  stamp::Policy policy;
  for (const auto& file : options.keys) {
    TK_TRY(auto key, stamp::PublicKey::load(file));
    policy.keys.push_back(std::move(key));
  }
  if (policy.keys.empty()) {
    TK_TRY(auto key, stamp::PublicKey::load(stamp::public_path(KeyOptions().path())));
    policy.keys.push_back(std::move(key));
  }
  const auto level = report::parse_level(options.level);
  if (!level)
    return fail(ErrorCode::usage, "--require '" + options.level + "' is none of static, boot, cpu, gpu, multi-gpu");
  policy.level = *level;
  if (!options.max_age.empty()) {
    TK_TRY(policy.max_age_s, parse_age(options.max_age));
  }
  policy.gpus = options.gpus;
  if (!options.driver.empty()) {
    TK_TRY(policy.driver_at_least, version::DriverVersion::parse(options.driver));
  }
  TK_TRY(const auto verdict, stamp::check(opened.layout, opened.image, policy, sys::now_s()));
  session.print(console::stamp_check_text(opened.image, verdict, session.paint()),
                console::stamp_check_json(opened.image, verdict));
  return verdict.is_satisfied() ? 0 : 1;
}

}  // namespace

void add_stamp(CLI::App& program, Action& chosen) {
  auto* command =
      program.add_subcommand("stamp", "Sign a report and attach it to its image; or check what has been proven");
  auto making = std::make_shared<MakeOptions>();
  command->add_option("image", making->image, k_image_forms)->type_name("IMAGE");
  command->add_option("--report", making->report, "The report that 'verify' wrote")->type_name("FILE");
  add_key_options(*command, making->key);
  command->require_subcommand(0, 1);

  auto* checker = command->add_subcommand("check", "Exit 0 only if a stamp proves what is required");
  auto checking = std::make_shared<CheckOptions>();
  checker->add_option("image", checking->image, k_image_forms)->required()->type_name("IMAGE");
  checker
      ->add_option("--pub", checking->keys, "Public key that must have signed; may be repeated (default: your own)")
      ->type_name("FILE");
  checker->add_option("--require", checking->level, "Level that must have been reached (default: gpu)")
      ->type_name("LEVEL");
  checker
      ->add_option("--gpu", checking->gpus,
                   "GPU that it must have been proven on, sm_90 or a model; may be repeated")
      ->type_name("GPU");
  checker->add_option("--driver-at-least", checking->driver, "Oldest driver that counts")->type_name("VERSION");
  checker->add_option("--max-age", checking->max_age, "Oldest stamp that counts, for example 90d")
      ->type_name("AGE");

  command->callback([&chosen, checker, making, checking] {
    if (checker->parsed())
      chosen = [checking](Session& session) { return check(*checking, session); };
    else
      chosen = [making](Session& session) { return make(*making, session); };
  });
}

}  // namespace torchkiln::cli
