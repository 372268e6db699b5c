#include "proof/sbom/provenance.hpp"

#include "foundation/base/text.hpp"
#include "proof/sbom/cyclonedx.hpp"

#include <string>

namespace torchkiln::sbom {

using document::Json;

namespace {

Json sha256(const base::Digest& digest) {
  return {{"sha256", digest.hex()}};
}

/// What the spec and the options asked for, and what the solver made of it.
Json external_parameters(const Inventory& inventory, const lock::Lock& lock) {
  const auto& r = lock.resolution;
  Json resolution = Json::object();
  const auto add = [&](const char* key, const std::string& value) {
    if (!value.empty()) resolution[key] = value;
  };
  add("pytorch", r.pytorch);
  add("build", r.build);
  add("cuda", r.cuda);
  add("cudnn", r.cudnn);
  add("nccl", r.nccl);
  add("python", r.python);
  add("os", r.os);
  add("architecture", r.architecture);
  add("driver-minimum", r.driver_minimum);
  if (!r.gpus.empty()) resolution["gpus"] = r.gpus;
  Json requested = Json::array();
  for (const auto& one : lock.requested) requested.push_back(base::without_credentials(one));
  return {{"image", lock.image_name},
          {"variant", name(inventory.variant)},
          {"spec", {{"digest", sha256(lock.spec_digest)}}},
          {"requested", std::move(requested)},
          {"requested-debian", lock.requested_debian},
          {"user", {{"name", lock.user.name}, {"uid", lock.user.uid}, {"gid", lock.user.gid}}},
          {"resolution", std::move(resolution)}};
}

/// The lock, by its identity, and everything with a digest that was put into the image.
Json dependencies(const Inventory& inventory) {
  Json all = Json::array();
  all.push_back({{"name", "kiln.lock"}, {"digest", sha256(inventory.lock)}});
  for (const auto& component : inventory.components) {
    if (component.digest.is_none()) continue;
    Json resource = {{"name", component.file_name.empty() ? component.name : component.file_name}};
    if (!component.purl.empty()) resource["uri"] = component.purl;
    resource["digest"] = sha256(component.digest);
    if (!component.url.empty()) resource["downloadLocation"] = component.url;
    all.push_back(std::move(resource));
  }
  return all;
}

}  // namespace

Json to_provenance(const Inventory& inventory, const lock::Lock& lock, std::string_view version) {
  TK_ASSERT(inventory.lock == identity(lock), "the inventory was made with this lock");
  Json internal = {{"matrix", {{"digest", sha256(lock.matrix_revision)}}},
                   {"created", base::format_time(inventory.created_s)}};
  Json definition = {{"buildType", k_build_type},
                     {"externalParameters", external_parameters(inventory, lock)},
                     {"internalParameters", std::move(internal)},
                     {"resolvedDependencies", dependencies(inventory)}};
  // Who builds the same image from the same lock again has made the same thing: one invocation, whenever it was.
  const auto invocation = uuid_of(base::Digest::of(inventory.image.hex() + inventory.lock.hex()));
  Json details = {{"builder", {{"id", k_builder_id}, {"version", {{"torchkiln", version}}}}},
                  {"metadata", {{"invocationId", "urn:uuid:" + invocation}}}};
  return {{"buildDefinition", std::move(definition)}, {"runDetails", std::move(details)}};
}

}  // namespace torchkiln::sbom
