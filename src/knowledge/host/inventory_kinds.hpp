#pragma once
// One reader for each kind of inventory. read_inventory() has looked at the content already; what a reader finds
// wrong in a single machine of somebody else's file is a note on that machine, what it finds wrong in a file that a
// person wrote is an Error with its place.

#include "foundation/document/json.hpp"
#include "knowledge/host/machine.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::host {

using Machines = base::Result<std::vector<Machine>>;

/// Our own: [[host]] tables with name, driver, gpus, arch, glibc, compat, runtime (docs/inventory.md).
Machines read_own_toml(std::string_view text, const std::string& file);
/// The same in JSON: {"host": [{"name": …}]}.
Machines read_own_json(const document::JsonValue& root, const std::string& file);
/// The keys of one host out of a JSON object, all but its name, which may be missing. Keys that are not ours are an
/// Error only in a file of our own.
enum class OtherKeys { refuse, skip };
base::Result<void> read_own_fields(const document::JsonValue& object, const std::string& source, OtherKeys others,
                                   Machine& machine);

/// `kubectl get nodes -o json`: labels of NVIDIA's GPU feature discovery, under their present and former names.
Machines read_kubernetes(const document::JsonValue& root, const std::string& file);
/// `scontrol show node --json`.
Machines read_slurm_json(const document::JsonValue& root, const std::string& file);
/// `scontrol show node`, with and without --oneliner.
Machines read_slurm_text(std::string_view text, const std::string& file);
/// dcgm-exporter's metrics, of one exporter or of many in a row.
Machines read_dcgm(std::string_view text, const std::string& file);
/// Ansible facts: of one host (a fact cache's file, `--tree`), or of several by name.
Machines read_ansible(const document::JsonValue& root, const std::string& file);
/// A header row that names columns; also what `nvidia-smi --query-gpu=… --format=csv` prints.
Machines read_csv(std::string_view text, const std::string& file);
/// Whether the first row of `text` has the columns that read_csv() needs.
bool is_csv(std::string_view text);

/// The file's name without folder and ending: the name of a machine whose inventory does not say it.
std::string stem(const std::string& file);

}  // namespace torchkiln::host
