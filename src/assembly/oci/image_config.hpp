#pragma once
// The image configuration: what a container of the image runs by default, the layers' uncompressed digests, and how
// they came about (image-spec v1.1, config.md). Its digest is what docker calls the image ID.

#include "foundation/base/digest.hpp"
#include "foundation/base/error.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::oci {

/// docker's health check, which image-spec reserves the key for. Zero means docker's default.
struct Healthcheck {
  std::vector<std::string> test;  ///< {"CMD", program, argument...} or {"CMD-SHELL", line}
  double interval_s = 0;
  double timeout_s = 0;
  double start_period_s = 0;
  int retries = 0;
  bool operator==(const Healthcheck&) const = default;
};

/// What a container does unless told otherwise: the "config" object.
struct ExecutionDefaults {
  std::string user;                      ///< "name", "uid" or "uid:gid"
  std::vector<std::string> environment;  ///< "NAME=value", in order
  std::vector<std::string> entrypoint;
  std::vector<std::string> command;
  std::string working_directory;
  std::map<std::string, std::string> labels;
  std::set<std::string> exposed_ports;  ///< "22/tcp"
  std::set<std::string> volumes;
  std::string stop_signal;  ///< "SIGTERM"
  std::optional<Healthcheck> healthcheck;
  bool operator==(const ExecutionDefaults&) const = default;
};

/// Whether a history entry stands for a layer or for a change of the configuration only.
enum class HistoryKind { layer, configuration };

struct HistoryEntry {
  std::string created;     ///< RFC 3339; may be empty
  std::string created_by;  ///< "torchkiln wheel torch==2.8.0 sha256:..."
  std::string comment = {};
  HistoryKind kind = HistoryKind::layer;
  bool operator==(const HistoryEntry&) const = default;
};

struct ImageConfig {
  std::string created;  ///< RFC 3339; empty: left out
  std::string author;
  std::string architecture = "amd64";
  std::string os = "linux";
  std::string variant;
  ExecutionDefaults execution;
  std::vector<base::Digest> diff_ids;  ///< SHA-256 of each layer's uncompressed tar, lowest layer first
  std::vector<HistoryEntry> history;
  bool operator==(const ImageConfig&) const = default;
};

/// An Error (input_invalid) for what no engine would run as meant: an environment entry without a name or given
/// twice, control characters, a relative working directory, a time that is not RFC 3339, or a history whose layers
/// are not as many as the diff_ids.
base::Result<void> check(const ImageConfig& config);
/// The one serialisation: members in image-spec's order, maps by key, empty fields left out.
base::Result<std::string> to_bytes(const ImageConfig& config);
/// Reads any tool's configuration; unknown fields are ignored, as config.md demands. `file` is for messages.
base::Result<ImageConfig> parse_image_config(std::string_view bytes, const std::string& file);

}  // namespace torchkiln::oci
