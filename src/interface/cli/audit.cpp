// torchkiln audit: which machine runs which image, and why not.

#include "decision/audit/audit.hpp"

#include "foundation/base/text.hpp"
#include "foundation/sys/files.hpp"
#include "interface/cli/audited_images.hpp"
#include "interface/cli/commands.hpp"
#include "interface/console/audit_documents.hpp"
#include "knowledge/host/machine.hpp"

namespace torchkiln::cli {

using base::Result;

namespace {

struct AuditOptions {
  AuditedImages images;
  std::vector<std::string> hosts, inventories;
  std::string format = "table";
  std::string output;
};

Result<std::vector<host::Machine>> read_hosts(const AuditOptions& options) {
  std::vector<host::Machine> machines;
  for (const auto& text : options.hosts) {
    TK_TRY(auto machine, host::parse_machine(text));
    machines.push_back(std::move(machine));
  }
  for (const auto& file : options.inventories) {
    TK_TRY(const auto bytes, sys::read_file(file, host::k_inventory_max_bytes));
    TK_TRY(auto read, host::read_inventory(bytes, file));
    machines.insert(machines.end(), std::make_move_iterator(read.begin()), std::make_move_iterator(read.end()));
  }
  if (options.hosts.empty() && options.inventories.empty()) machines.push_back(host::this_machine());
  return host::merge(std::move(machines));
}

Result<int> run_audit(const AuditOptions& options, Session& session) {
  const auto format = session.is_json() ? console::AuditFormat::json : console::parse_audit_format(options.format);
  if (!format)
    return base::fail(base::ErrorCode::usage, "--format '" + options.format + "' is none of " +
                                                  base::join(console::audit_format_names(), ", "));
  TK_TRY(const auto matrix, session.load_matrix());
  TK_TRY(const auto age, data_age(matrix));
  TK_TRY(auto images, read_images(options.images, matrix, session));
  TK_TRY(auto hosts, read_hosts(options));
  const auto report = audit::audit(std::move(hosts), std::move(images), matrix);
  console::AuditView view;
  view.columns = console::terminal_columns();
  session.progress().clear();
  if (options.output.empty()) {
    view.paint = session.paint();
    console::write_audit(*format, report, age, view, console::print_result);
  } else {
    // Whole or not at all: a collector may read the file at any time.
    TK_TRY(auto file, sys::AtomicFile::create(options.output));
    Result<void> written;
    console::write_audit(*format, report, age, view, [&](std::string_view piece) {
      if (written) written = file.write(piece);
    });
    TK_CHECK(written);
    TK_CHECK(file.commit());
  }
  return report.all_run() ? 0 : 1;
}

}  // namespace

void add_audit(CLI::App& program, Action& chosen) {
  auto* command = program.add_subcommand("audit", "Say which machine runs which image, and what would help");
  auto options = std::make_shared<AuditOptions>();
  command
      ->add_option("image", options->images.images,
                   "Images and locks to judge: kiln.lock, oci:DIR[:TAG], oci-archive:FILE, docker:REF, podman:REF "
                   "or HOST/REPO:TAG")
      ->type_name("IMAGE|kiln.lock");
  const std::string hosts = "Hosts (default: this machine)";
  command
      ->add_option("--host", options->hosts,
                   "A host: 'name=a,driver=535.104.05,gpu=V100+T4'; also arch=, glibc=, compat=, runtime=; may be "
                   "repeated")
      ->type_name("FACTS")
      ->allow_extra_args(false)
      ->group(hosts);
  command
      ->add_option(
          "--inventory", options->inventories,
          "Hosts from a file: own TOML or JSON, nvidia-smi -q -x, kubectl, scontrol, dcgm-exporter, Ansible "
          "facts, CSV; may be repeated")
      ->type_name("FILE")
      ->allow_extra_args(false)
      ->group(hosts);
  const std::string releases = "Releases that are not built yet (default without any image: the newest of each)";
  command
      ->add_option("--pytorch", options->images.pytorch, "PyTorch 2.7.1+cu126; without +cu126 the default index's")
      ->type_name("VERSION")
      ->allow_extra_args(false)
      ->group(releases);
  command->add_option("--python", options->images.python, "With this Python")
      ->type_name("VERSION")
      ->group(releases);
  command->add_option("--package", options->images.packages, "With this package; may be repeated")
      ->type_name("NAME==VERSION")
      ->allow_extra_args(false)
      ->group(releases);
  command
      ->add_option("--require", options->images.requirements,
                   "An NVIDIA_REQUIRE_CUDA alone: 'cuda>=12.8 brand=tesla,driver>=535'; may be repeated")
      ->type_name("CONDITIONS")
      ->allow_extra_args(false)
      ->group(releases);
  takes(command
            ->add_option("--format", options->format,
                         base::join(console::audit_format_names(), ", ") + " (default: table)")
            ->type_name("FORMAT"),
        console::audit_format_names());
  command->add_option("-o,--output", options->output, "Write there instead, whole or not at all")
      ->type_name("FILE");
  command->callback([&chosen, options] {
    chosen = [options](Session& session) -> Result<int> { return run_audit(*options, session); };
  });
}

}  // namespace torchkiln::cli
