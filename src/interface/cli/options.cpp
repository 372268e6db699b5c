#include "foundation/base/text.hpp"
#include "interface/cli/commands.hpp"
#include "plan/lock/toolkit.hpp"

#include <fmt/format.h>

namespace torchkiln::cli {

CLI::Option* takes(CLI::Option* option, const std::vector<std::string>& values) {
  option->option_text(option->get_type_name());  // the help names them in its own words
  return option->check(
      CLI::Validator([](std::string&) { return std::string(); }, "{" + base::join(values, ",") + "}"));
}

void add_spec_options(CLI::App& command, SpecOptions& options) {
  command.add_option("spec", options.file, "The spec (default: kiln.toml here)")->type_name("[kiln.toml]");
  auto& o = options.overrides;
  const std::string group = "Instead of what the spec says";
  command.add_option("--pytorch", o.pytorch, "PyTorch version, for example 2.8 or '>=2.7'")
      ->type_name("VERSION")
      ->group(group);
  command.add_option("--python", o.python, "Python version")->type_name("VERSION")->group(group);
  command.add_option("--cuda", o.cuda, "CUDA version")->type_name("VERSION")->group(group);
  command.add_option("--cudnn", o.cudnn, "cuDNN version")->type_name("VERSION")->group(group);
  command.add_option("--nccl", o.nccl, "NCCL version")->type_name("VERSION")->group(group);
  command.add_option("--os", o.os, "Operating system of the image, for example debian-12")
      ->type_name("OS")
      ->group(group);
  command.add_option("--driver", o.driver, "Oldest driver that the image must run on")
      ->type_name("VERSION")
      ->group(group);
  command.add_option("--gpu", o.gpus, "A GPU that must work, a model or sm_90; may be repeated")
      ->type_name("GPU")
      ->group(group);
  command
      .add_option("--arch", o.architecture,
                  "Architecture of the image, x86_64 or aarch64 (default: this machine's)")
      ->type_name("ARCH")
      ->group(group);
  std::vector<std::string> preferences;
  for (const auto preference : spec::k_preferences) preferences.emplace_back(spec::name(preference));
  takes(
      command
          .add_option("--prefer", o.prefer,
                      "What to choose where there is a choice: stable (default), newest (experimental CUDA builds "
                      "too), smallest (least to download) or proven (stamped on the GPU asked for)")
          ->type_name("WHAT")
          ->group(group),
      preferences);
  command
      .add_flag("--forward-compat", o.forward_compat,
                "Count on a cuda-compat package in the image (data-center GPUs and Jetson boards only)")
      ->group(group);
  command.add_option("--variant", o.variants, "Variant to build; may be repeated")
      ->type_name("VARIANT")
      ->group(group);
  command.add_flag("--this-host", options.this_host, "Driver and GPUs of this machine")->group(group);
}

void add_lock_options(CLI::App& command, LockOptions& options) {
  const std::string group = "Sources (default: what pip, uv and apt are configured with)";
  command.add_option("--index", options.indexes.index, "Python package index")->type_name("URL")->group(group);
  command
      .add_option(
          "--torch-index", options.indexes.torch_index,
          "PyTorch's own index, a folder a build below it, for builds that the default index lacks (default: "
          "TORCHKILN_TORCH_INDEX)")
      ->type_name("URL")
      ->group(group);
  command
      .add_option(
          "--redist", options.redist,
          fmt::format("NVIDIA's folder with redistrib_*.json, for cuda = \"archives\"; may be repeated (or {})",
                      lock::k_redist_variable))
      ->type_name("URL")
      ->group(group);
  command.add_option("--mirror", options.mirrors, "Debian mirror, or a whole 'deb …' line; may be repeated")
      ->type_name("URL")
      ->group(group);
}

void add_format_options(CLI::App& command, FormatOptions& options) {
  const std::string group = "Layers: the same image, packed otherwise";
  takes(command
            .add_option(
                "--layers", options.layers,
                "gzip (default: nothing is recompressed), zstd (smaller, faster to unpack; not for docker before "
                "23), raw (not compressed), or auto: raw on this machine, gzip for registries")
            ->type_name("FORMAT")
            ->group(group),
        {"gzip", "zstd", "raw", "auto"});
  command
      .add_flag("--single-member", options.single_member,
                "Gzip layers of one member, for readers that stop after the first")
      ->group(group);
  command
      .add_flag("--estargz", options.estargz,
                "Gzip layers with a table of contents, for snapshotters that start a container before its image is "
                "there; another image ID")
      ->group(group);
}

void add_key_options(CLI::App& command, KeyOptions& options) {
  const std::string group = "The key that signs";
  command
      .add_option("--key", options.file,
                  "Private key; made when there is none (default: ~/.config/torchkiln/stamp.key)")
      ->type_name("FILE")
      ->group(group);
  auto* file =
      command.add_option("--passphrase-file", options.passphrase_file, "File whose first line opens the key")
          ->type_name("FILE")
          ->group(group);
  command
      .add_option("--passphrase-fd", options.passphrase_descriptor,
                  "File descriptor whose first line opens the key")
      ->type_name("N")
      ->excludes(file)
      ->group(group);
  command
      .add_option("--valid-for", options.valid_for,
                  "How long after the run the stamp is good, for example 90d (default: no end)")
      ->type_name("AGE")
      ->group(group);
}

}  // namespace torchkiln::cli
