#include "assembly/oci/image_config.hpp"

#include "foundation/base/text.hpp"
#include "foundation/document/json.hpp"

#include <algorithm>
#include <cmath>

namespace torchkiln::oci {

using base::ErrorCode;
using base::fail;
using base::Result;

namespace {

constexpr double k_nanoseconds_per_s = 1e9;

bool has_control_character(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

base::Unexpected refuse(std::string what) {
  return fail(ErrorCode::input_invalid, "image configuration: " + std::move(what));
}

Result<void> check_time(const std::string& time) {
  if (!time.empty() && !base::parse_time(time)) return refuse("'" + time + "' is no RFC 3339 time in UTC");
  return {};
}

Result<void> check_environment(const std::vector<std::string>& environment) {
  std::set<std::string_view> names;
  for (const auto& entry : environment) {
    const auto name = std::string_view(entry).substr(0, entry.find('='));
    if (name.empty() || name.size() == entry.size()) return refuse("environment '" + entry + "' is not NAME=value");
    if (has_control_character(entry))
      return refuse("environment " + std::string(name) + " has a control character");
    if (!names.insert(name).second) return refuse("environment " + std::string(name) + " is set twice");
  }
  return {};
}

document::Json set_of(const std::set<std::string>& keys) {
  document::Json json = document::Json::object();
  for (const auto& key : keys) json[key] = document::Json::object();
  return json;
}

document::Json to_json(const Healthcheck& healthcheck) {
  document::Json json = {{"Test", healthcheck.test}};
  const auto put_duration = [&json](const char* key, double seconds) {
    if (seconds > 0) json[key] = std::llround(seconds * k_nanoseconds_per_s);
  };
  put_duration("Interval", healthcheck.interval_s);
  put_duration("Timeout", healthcheck.timeout_s);
  put_duration("StartPeriod", healthcheck.start_period_s);
  if (healthcheck.retries > 0) json["Retries"] = healthcheck.retries;
  return json;
}

document::Json to_json(const ExecutionDefaults& execution) {
  document::Json json = document::Json::object();
  if (!execution.user.empty()) json["User"] = execution.user;
  if (!execution.exposed_ports.empty()) json["ExposedPorts"] = set_of(execution.exposed_ports);
  if (!execution.environment.empty()) json["Env"] = execution.environment;
  if (!execution.entrypoint.empty()) json["Entrypoint"] = execution.entrypoint;
  if (!execution.command.empty()) json["Cmd"] = execution.command;
  if (!execution.volumes.empty()) json["Volumes"] = set_of(execution.volumes);
  if (!execution.working_directory.empty()) json["WorkingDir"] = execution.working_directory;
  if (!execution.labels.empty()) json["Labels"] = execution.labels;
  if (!execution.stop_signal.empty()) json["StopSignal"] = execution.stop_signal;
  if (execution.healthcheck) json["Healthcheck"] = to_json(*execution.healthcheck);
  return json;
}

Result<std::set<std::string>> read_set(const document::JsonValue& object, std::string_view key) {
  std::set<std::string> keys;
  TK_TRY(const auto found, object.find(key));
  if (!found) return keys;
  TK_TRY(const auto members, found->members());
  for (const auto& member : members) keys.insert(member.first);
  return keys;
}

Result<Healthcheck> read_healthcheck(const document::JsonValue& value) {
  Healthcheck healthcheck;
  TK_TRY(healthcheck.test, value.texts_or_empty("Test"));
  const auto read_integer = [&value](std::string_view key) -> Result<std::int64_t> {
    TK_TRY(const auto found, value.find(key));
    if (!found) return 0;
    return found->integer();
  };
  TK_TRY(const auto interval, read_integer("Interval"));
  TK_TRY(const auto timeout, read_integer("Timeout"));
  TK_TRY(const auto start_period, read_integer("StartPeriod"));
  TK_TRY(const auto retries, read_integer("Retries"));
  healthcheck.interval_s = static_cast<double>(interval) / k_nanoseconds_per_s;
  healthcheck.timeout_s = static_cast<double>(timeout) / k_nanoseconds_per_s;
  healthcheck.start_period_s = static_cast<double>(start_period) / k_nanoseconds_per_s;
  healthcheck.retries = static_cast<int>(std::clamp<std::int64_t>(retries, 0, INT32_MAX));
  return healthcheck;
}

Result<ExecutionDefaults> read_execution(const document::JsonValue& value) {
  ExecutionDefaults execution;
  TK_TRY(execution.user, value.text_or_empty("User"));
  TK_TRY(execution.environment, value.texts_or_empty("Env"));
  TK_TRY(execution.entrypoint, value.texts_or_empty("Entrypoint"));
  TK_TRY(execution.command, value.texts_or_empty("Cmd"));
  TK_TRY(execution.working_directory, value.text_or_empty("WorkingDir"));
  TK_TRY(execution.labels, value.text_map_or_empty("Labels"));
  TK_TRY(execution.exposed_ports, read_set(value, "ExposedPorts"));
  TK_TRY(execution.volumes, read_set(value, "Volumes"));
  TK_TRY(execution.stop_signal, value.text_or_empty("StopSignal"));
  TK_TRY(const auto healthcheck, value.find("Healthcheck"));
  if (healthcheck) {
    TK_TRY(execution.healthcheck, read_healthcheck(*healthcheck));
  }
  return execution;
}

Result<std::vector<HistoryEntry>> read_history(const document::JsonValue& document) {
  std::vector<HistoryEntry> history;
  TK_TRY(const auto found, document.find("history"));
  if (!found) return history;
  TK_TRY(const auto items, found->items());
  for (const auto& item : items) {
    HistoryEntry entry;
    TK_TRY(entry.created, item.text_or_empty("created"));
    TK_TRY(entry.created_by, item.text_or_empty("created_by"));
    TK_TRY(entry.comment, item.text_or_empty("comment"));
    TK_TRY(const auto empty_layer, item.find("empty_layer"));
    if (empty_layer && empty_layer->json() == true) entry.kind = HistoryKind::configuration;
    history.push_back(std::move(entry));
  }
  return history;
}

}  // namespace

Result<void> check(const ImageConfig& config) {
  if (config.architecture.empty() || config.os.empty()) return refuse("architecture and os must be given");
  TK_CHECK(check_time(config.created));
  const auto& execution = config.execution;
  TK_CHECK(check_environment(execution.environment));
  for (const auto& [key, value] : execution.labels)
    if (key.empty() || has_control_character(key)) return refuse("label '" + key + "' has no usable name");
  if (!execution.working_directory.empty() && !execution.working_directory.starts_with('/'))
    return refuse("working directory '" + execution.working_directory + "' is not absolute");
  if (has_control_character(execution.user + execution.working_directory + execution.stop_signal))
    return refuse("user, working directory or stop signal has a control character");
  std::size_t layers = 0;
  for (const auto& entry : config.history) {
    TK_CHECK(check_time(entry.created));
    layers += entry.kind == HistoryKind::layer;
  }
  if (!config.history.empty() && layers != config.diff_ids.size())
    return refuse("the history tells of " + std::to_string(layers) + " layers, diff_ids of " +
                  std::to_string(config.diff_ids.size()));
  return {};
}

Result<std::string> to_bytes(const ImageConfig& config) {
  document::Json json = document::Json::object();
  if (!config.created.empty()) json["created"] = config.created;
  if (!config.author.empty()) json["author"] = config.author;
  json["architecture"] = config.architecture;
  json["os"] = config.os;
  if (!config.variant.empty()) json["variant"] = config.variant;
  json["config"] = to_json(config.execution);
  document::Json diff_ids = document::Json::array();
  for (const auto& diff_id : config.diff_ids) diff_ids.push_back(diff_id.to_string());
  json["rootfs"] = {{"type", "layers"}, {"diff_ids", std::move(diff_ids)}};
  document::Json history = document::Json::array();
  for (const auto& entry : config.history) {
    document::Json item = document::Json::object();
    if (!entry.created.empty()) item["created"] = entry.created;
    if (!entry.created_by.empty()) item["created_by"] = entry.created_by;
    if (!entry.comment.empty()) item["comment"] = entry.comment;
    if (entry.kind == HistoryKind::configuration) item["empty_layer"] = true;
    history.push_back(std::move(item));
  }
  if (!history.empty()) json["history"] = std::move(history);
  return document::to_bytes(json);
}

Result<ImageConfig> parse_image_config(std::string_view bytes, const std::string& file) {
  TK_TRY(const auto document, document::JsonValue::parse(bytes, file));
  ImageConfig config;
  TK_TRY(config.created, document.text_or_empty("created"));
  TK_TRY(config.author, document.text_or_empty("author"));
  TK_TRY(const auto architecture, document.member("architecture"));
  TK_TRY(config.architecture, architecture.text());
  TK_TRY(const auto os, document.member("os"));
  TK_TRY(config.os, os.text());
  TK_TRY(config.variant, document.text_or_empty("variant"));
  TK_TRY(const auto execution, document.find("config"));
  if (execution) {
    TK_TRY(config.execution, read_execution(*execution));
  }
  TK_TRY(const auto rootfs, document.member("rootfs"));
  TK_TRY(const auto type, rootfs.member("type"));
  TK_TRY(const auto type_text, type.text());
  if (type_text != "layers") return type.wrong("is \"" + type_text + "\", not \"layers\"");
  TK_TRY(const auto diff_ids, rootfs.member("diff_ids"));
  TK_TRY(const auto items, diff_ids.items());
  for (const auto& item : items) {
    TK_TRY(auto diff_id, item.digest());
    config.diff_ids.push_back(diff_id);
  }
  TK_TRY(config.history, read_history(document));
  return config;
}

}  // namespace torchkiln::oci
