#include "assembly/runtime/job.hpp"

#include "foundation/document/json.hpp"

#include <array>

namespace torchkiln::runtime {

using base::ErrorCode;
using base::Result;
using document::Json;
using document::JsonValue;

namespace {

/// A config.json with a long environment stays far below this.
constexpr document::JsonLimits k_job_limits = {.size_bytes = 16U << 20, .depth = 32};

/// Enumerations travel as numbers: both ends are the same program.
template <class Enum>
int number(Enum value) {
  return static_cast<int>(value);
}

template <class Enum>
Result<Enum> read_number(const JsonValue& object, std::string_view key, Enum last) {
  TK_TRY(const auto member, object.member(key));
  TK_TRY(const auto value, member.integer());
  if (value < 0 || value > number(last)) return member.wrong("is out of range");
  return static_cast<Enum>(value);
}

Result<std::string> read_text(const JsonValue& object, std::string_view key) {
  TK_TRY(const auto member, object.member(key));
  return member.text();
}

Result<std::vector<std::string>> read_texts(const JsonValue& object, std::string_view key) {
  TK_TRY(const auto member, object.member(key));
  return member.texts();
}

Json task_json(const UnpackJob& job) {
  return {{"kind", "unpack"},
          {"blob", job.blob.string()},
          {"compression", number(job.compression)},
          {"diff_id", job.diff_id.to_string()},
          {"folder", job.folder.string()}};
}

Json task_json(const RemoveJob& job) {
  return {{"kind", "remove"}, {"folder", job.folder.string()}};
}

Json task_json(const ContainerJob& job) {
  auto lower = Json::array();
  for (const auto& folder : job.lower) lower.push_back(folder.string());
  return {{"kind", "container"},         {"runtime", number(job.runtime)},
          {"lower", std::move(lower)},   {"config", job.config},
          {"root", number(job.root)},    {"upper", job.upper.string()},
          {"space", job.space.string()}, {"hosts", job.hosts}};
}

Json task_json(const EngineJob& job) {
  return {{"kind", "engine"}, {"arguments", job.arguments}, {"clean_up", job.clean_up}};
}

Result<UnpackJob> read_unpack(const JsonValue& task) {
  UnpackJob job;
  TK_TRY(job.blob, read_text(task, "blob"));
  TK_TRY(job.compression, read_number(task, "compression", Compression::zstd));
  TK_TRY(const auto diff_id, task.member("diff_id"));
  TK_TRY(job.diff_id, diff_id.digest());
  TK_TRY(job.folder, read_text(task, "folder"));
  return job;
}

Result<ContainerJob> read_container(const JsonValue& task) {
  ContainerJob job;
  TK_TRY(job.runtime, read_number(task, "runtime", RuntimeKind::crun));
  TK_TRY(const auto lower, read_texts(task, "lower"));
  job.lower.assign(lower.begin(), lower.end());
  TK_TRY(job.config, read_text(task, "config"));
  TK_TRY(job.root, read_number(task, "root", RootAccess::kept));
  TK_TRY(job.upper, read_text(task, "upper"));
  TK_TRY(job.space, read_text(task, "space"));
  TK_TRY(job.hosts, read_text(task, "hosts"));
  return job;
}

Result<decltype(Job::task)> read_task(const JsonValue& task) {
  TK_TRY(const auto kind, read_text(task, "kind"));
  if (kind == "unpack") return read_unpack(task);
  if (kind == "container") return read_container(task);
  if (kind == "remove") {
    TK_TRY(const auto folder, read_text(task, "folder"));
    return RemoveJob{folder};
  }
  if (kind == "engine") {
    EngineJob job;
    TK_TRY(job.arguments, read_texts(task, "arguments"));
    TK_TRY(job.clean_up, read_texts(task, "clean_up"));
    return job;
  }
  return task.wrong("is of no known kind");
}

/// Messages quote what other programs said, which need not be UTF-8.
std::string dump(const Json& document) {
  return document.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

std::string to_text(const Job& job) {
  Json document = {{"parent_pid", job.parent_pid}};
  document["task"] = std::visit([](const auto& task) { return task_json(task); }, job.task);
  return dump(document);
}

Result<Job> read_job(std::string_view text, const std::string& file) {
  TK_TRY(const auto document, JsonValue::parse(text, file, k_job_limits));
  Job job;
  TK_TRY(const auto parent_pid, document.member("parent_pid"));
  TK_TRY(const auto pid, parent_pid.integer());
  job.parent_pid = static_cast<int>(pid);
  TK_TRY(const auto task, document.member("task"));
  TK_TRY(job.task, read_task(task));
  return job;
}

std::string to_text(const JobResult& result) {
  Json document = {{"exit_status", result.exit_status}};
  if (result.error)
    document["error"] = {{"code", number(result.error->code)},
                         {"message", result.error->message},
                         {"notes", result.error->notes},
                         {"hints", result.error->hints}};
  return dump(document);
}

Result<JobResult> read_result(std::string_view text, const std::string& file) {
  TK_TRY(const auto document, JsonValue::parse(text, file, k_job_limits));
  JobResult result;
  TK_TRY(const auto exit_status, document.member("exit_status"));
  TK_TRY(const auto status, exit_status.integer());
  result.exit_status = static_cast<int>(status);
  TK_TRY(const auto error, document.find("error"));
  if (!error) return result;
  result.error.emplace();
  TK_TRY(result.error->code, read_number(*error, "code", ErrorCode::internal));
  TK_TRY(result.error->message, read_text(*error, "message"));
  TK_TRY(result.error->notes, read_texts(*error, "notes"));
  TK_TRY(result.error->hints, read_texts(*error, "hints"));
  return result;
}

}  // namespace torchkiln::runtime
