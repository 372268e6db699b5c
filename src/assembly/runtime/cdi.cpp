#include "assembly/runtime/cdi.hpp"

namespace torchkiln::runtime {

using base::ErrorCode;
using base::fail;
using base::Result;
using document::Json;
using document::JsonValue;

namespace {

/// An optional array's items; none when it is missing.
Result<std::vector<JsonValue>> items_of(const JsonValue& object, std::string_view key) {
  TK_TRY(const auto member, object.find(key));
  if (!member) return std::vector<JsonValue>();
  return member->items();
}

Result<void> copy_integer(const JsonValue& from, std::string_view key, Json& to, const char* to_key) {
  TK_TRY(const auto member, from.find(key));
  if (!member) return {};
  TK_TRY(const auto value, member->integer());
  to[to_key] = value;
  return {};
}

/// deviceNodes[]: numbers that the specification leaves out are those of the host's node.
Result<void> add_device(const JsonValue& node, const DeviceLookup& lookup, Json& config) {
  TK_TRY(const auto path_member, node.member("path"));
  TK_TRY(const auto path, path_member.text());
  TK_TRY(auto host_path, node.text_or_empty("hostPath"));
  if (host_path.empty()) host_path = path;
  const auto host = lookup(host_path);
  if (!host) return node.wrong("names a device that this host does not have: " + host_path);
  Json device = {{"path", path},
                 {"type", std::string(1, host->type)},
                 {"major", host->major},
                 {"minor", host->minor},
                 {"fileMode", host->mode}};
  for (const char* key : {"major", "minor", "fileMode", "uid", "gid"})
    TK_CHECK(copy_integer(node, key, device, key));
  TK_TRY(const auto type, node.text_or_empty("type"));
  if (!type.empty()) device["type"] = type;
  config["linux"]["devices"].push_back(std::move(device));
  return {};
}

Result<void> add_mount(const JsonValue& mount, Json& config) {
  TK_TRY(const auto host_path_member, mount.member("hostPath"));
  TK_TRY(const auto host_path, host_path_member.text());
  TK_TRY(const auto inside_member, mount.member("containerPath"));
  TK_TRY(const auto inside, inside_member.text());
  TK_TRY(auto type, mount.text_or_empty("type"));
  TK_TRY(auto options, mount.texts_or_empty("options"));
  if (type.empty()) type = "bind";
  if (options.empty()) options = {"ro", "nosuid", "nodev", "rbind", "rprivate"};
  config["mounts"].push_back(
      {{"destination", inside}, {"type", type}, {"source", host_path}, {"options", options}});
  return {};
}

/// hooks[]: what the vendor runs on the host while the container is made, such as refreshing ld.so.cache.
Result<void> add_hook(const JsonValue& hook, Json& config) {
  TK_TRY(const auto name_member, hook.member("hookName"));
  TK_TRY(const auto name, name_member.text());
  TK_TRY(const auto path_member, hook.member("path"));
  TK_TRY(const auto path, path_member.text());
  Json entry = {{"path", path}};
  for (const char* key : {"args", "env"}) {
    TK_TRY(const auto texts, hook.texts_or_empty(key));
    if (!texts.empty()) entry[key] = texts;
  }
  TK_CHECK(copy_integer(hook, "timeout", entry, "timeout"));
  config["hooks"][name].push_back(std::move(entry));
  return {};
}

/// An entry of the same name is replaced, as the specification's own library does.
void add_environment(const std::string& assignment, Json& config) {
  auto& environment = config["process"]["env"];
  const auto prefix = assignment.substr(0, assignment.find('=') + 1);
  for (auto& entry : environment)
    if (entry.get_ref<const std::string&>().starts_with(prefix)) {
      entry = assignment;
      return;
    }
  environment.push_back(assignment);
}

Result<void> apply_edits(const JsonValue& owner, const DeviceLookup& lookup, Json& config) {
  TK_TRY(const auto edits, owner.find("containerEdits"));
  if (!edits) return {};
  TK_TRY(const auto environment, edits->texts_or_empty("env"));
  for (const auto& assignment : environment) {
    if (assignment.find('=') == std::string::npos) return edits->wrong("has an 'env' entry without '='");
    add_environment(assignment, config);
  }
  TK_TRY(const auto nodes, items_of(*edits, "deviceNodes"));
  for (const auto& node : nodes) TK_CHECK(add_device(node, lookup, config));
  TK_TRY(const auto mounts, items_of(*edits, "mounts"));
  for (const auto& mount : mounts) TK_CHECK(add_mount(mount, config));
  TK_TRY(const auto hooks, items_of(*edits, "hooks"));
  for (const auto& hook : hooks) TK_CHECK(add_hook(hook, config));
  TK_TRY(const auto groups, items_of(*edits, "additionalGids"));
  for (const auto& group : groups) {
    TK_TRY(const auto gid, group.integer());
    config["process"]["user"]["additionalGids"].push_back(gid);
  }
  return {};
}

}  // namespace

Result<void> apply_cdi(const JsonValue& specification, const std::string& device_name, const DeviceLookup& lookup,
                       Json& config) {
  TK_TRY(const auto devices, items_of(specification, "devices"));
  for (const auto& device : devices) {
    TK_TRY(const auto name, device.text_or_empty("name"));
    if (name != device_name) continue;
    TK_CHECK(apply_edits(specification, lookup, config));
    return apply_edits(device, lookup, config);
  }
  return specification.wrong("has no device '" + device_name + "'");
}

}  // namespace torchkiln::runtime
