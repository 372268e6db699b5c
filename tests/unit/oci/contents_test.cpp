#include "assembly/oci/contents.hpp"

#include "assembly/oci/platform.hpp"
#include "layout_fixture.hpp"

using namespace torchkiln;
using namespace torchkiln::oci;
using oci::test::must;

namespace {

LayerContent layer(const std::string& name, std::uint64_t size_bytes) {
  return {
      {std::string(k_layer_gzip_type), base::Digest::of(name), size_bytes}, base::Digest::of("diff " + name), name};
}

std::vector<std::string> names(const std::vector<LayerContent>& layers) {
  std::vector<std::string> list;
  for (const auto& one : layers) list.push_back(one.made_by);
  return list;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("a node fetches the layers that it does not have, each once") {
  const auto difference = compare({layer("base", 100), layer("torch", 900), layer("old", 5)},
                                  {layer("base", 100), layer("new", 7), layer("torch", 900), layer("new", 7)});
  CHECK(names(difference.shared) == Names{"base", "torch"});
  CHECK(names(difference.to_fetch) == Names{"new"});
  CHECK(names(difference.left) == Names{"old"});
  CHECK(difference.shared_bytes == 1000);
  CHECK(difference.fetch_bytes == 7);
  CHECK(compare({}, {}).fetch_bytes == 0);
}

TEST_CASE("a platform is chosen by system and architecture, and by variant where both have one") {
  const auto entry = [](const char* name, const char* architecture, const char* variant) {
    Descriptor descriptor{std::string(k_manifest_type), base::Digest::of(name), 1};
    descriptor.platform = Platform{architecture, "linux", variant};
    return descriptor;
  };
  Index index;
  index.manifests = {entry("x", "amd64", ""), entry("v7", "arm", "v7"), entry("v8", "arm64", "v8")};
  CHECK(must(choose(index, {"amd64", "linux", ""}, "", "i")).digest == base::Digest::of("x"));
  CHECK(must(choose(index, {"arm64", "linux", ""}, "", "i")).digest == base::Digest::of("v8"));
  CHECK(must(choose(index, {"arm", "linux", "v7"}, "", "i")).digest == base::Digest::of("v7"));
  const auto none = choose(index, {"arm", "linux", "v6"}, "", "host/image:tag");
  REQUIRE_FALSE(none);
  CHECK(none.error().message == "host/image:tag has no image for linux/arm/v6");
  CHECK(none.error().notes == std::vector<std::string>{"it has linux/amd64, linux/arm/v7, linux/arm64/v8"});
  CHECK(must(parse_platform("linux/arm64/v8")) == Platform{"arm64", "linux", "v8"});
  for (const char* bad : {"", "linux", "linux/", "/amd64", "a/b/c/d"}) CHECK_FALSE(parse_platform(bad));
}

TEST_CASE("of a family's images the first for the platform is chosen, or the variant that was asked for") {
  const auto entry = [](const char* architecture, const char* variant) {
    Descriptor descriptor{std::string(k_manifest_type), base::Digest::of(std::string(architecture) + variant), 1};
    descriptor.platform = Platform{architecture, "linux", ""};
    descriptor.annotations[std::string(k_variant_key)] = variant;
    return descriptor;
  };
  Index index;
  index.manifests = {entry("arm64", "runtime"), entry("amd64", "runtime"), entry("amd64", "jupyter")};
  const Platform here{"amd64", "linux", ""};
  CHECK(must(choose(index, here, "", "family")) == index.manifests[1]);
  CHECK(must(choose(index, here, "jupyter", "family")) == index.manifests[2]);
  const auto none = choose(index, here, "ssh", "family");
  REQUIRE_FALSE(none);
  CHECK(none.error().message == "family has no image for linux/amd64, ssh");
  CHECK(none.error().notes ==
        std::vector<std::string>{"it has linux/arm64 runtime, linux/amd64 runtime, linux/amd64 jupyter"});
}
