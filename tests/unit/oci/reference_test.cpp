#include "assembly/oci/reference.hpp"

#include "layout_fixture.hpp"

using namespace torchkiln;
using namespace torchkiln::oci;
using oci::test::must;

namespace {

const std::string k_digest = "sha256:" + std::string(64, 'b');

template <class T>
T as(const std::string& text) {
  const auto reference = must(parse_reference(text));
  CHECK(to_string(reference) == text);
  REQUIRE(std::holds_alternative<T>(reference));
  return std::get<T>(reference);
}

std::string refusal(const std::string& text) {
  const auto reference = parse_reference(text);
  REQUIRE_FALSE(reference);
  CHECK(reference.error().code == base::ErrorCode::usage);
  return reference.error().message;
}

}  // namespace

TEST_CASE("a layout is a folder, with or without an image") {
  CHECK(as<LayoutReference>("oci:out/image") == LayoutReference{"out/image", std::nullopt});
  CHECK(as<LayoutReference>("oci:/a/b:2.8.0-cu128") == LayoutReference{"/a/b", "2.8.0-cu128"});
  CHECK(as<LayoutReference>("oci:out@" + k_digest) == LayoutReference{"out", k_digest});
  // As skopeo: the folder ends at the first colon, and an image may be a full name.
  CHECK(as<LayoutReference>("oci:out:team/pytorch:2.8") == LayoutReference{"out", "team/pytorch:2.8"});
  CHECK(as<LayoutReference>("oci:user@host") == LayoutReference{"user@host", std::nullopt});
}

TEST_CASE("an archive is a file, with or without an image") {
  CHECK(as<ArchiveReference>("oci-archive:a.tar") == ArchiveReference{"a.tar", std::nullopt});
  CHECK(as<ArchiveReference>("oci-archive:a.tar:t") == ArchiveReference{"a.tar", "t"});
}

TEST_CASE("an image of docker or podman is whatever they call it") {
  CHECK(as<EngineReference>("docker:pytorch:2.8") == EngineReference{Engine::docker, "pytorch:2.8"});
  CHECK(as<EngineReference>("podman:localhost/a@" + k_digest) ==
        EngineReference{Engine::podman, "localhost/a@" + k_digest});
}

TEST_CASE("a registry's image has a host, a repository, and a tag or a digest") {
  CHECK(as<RegistryReference>("registry.example/team/pytorch:2.8") ==
        RegistryReference{"registry.example", "team/pytorch", "2.8", std::nullopt});
  CHECK(as<RegistryReference>("localhost:5000/a:b") == RegistryReference{"localhost:5000", "a", "b", std::nullopt});
  CHECK(as<RegistryReference>("[::1]:5000/a:b") == RegistryReference{"[::1]:5000", "a", "b", std::nullopt});
  const auto both = as<RegistryReference>("registry.example/a__b/c.d-e:t@" + k_digest);
  CHECK(both.repository == "a__b/c.d-e");
  CHECK(both.tag == "t");
  CHECK(both.digest->to_string() == k_digest);
}

TEST_CASE("hosts and repositories follow distribution's grammar") {
  for (const char* good : {"a.example/x", "localhost/x", "host:5000/x", "127.0.0.1:5000/x", "[fe80::1]/x",
                           "a.example/a--b", "a.example/a__b", "a.example/a.b/c_d/0"})
    CHECK(parse_repository(good));
  for (const char* bad : {"host/x", "-a.example/x", "a.example:/x", "a.example:99999999/x", "a_b.example/x",
                          "[::1/x", "a..example/x", "a.example/a..b", "a.example/a___b", "a.example/a._b",
                          "a.example/-a", "a.example/a-", "a.example/a//b", "a.example/", "a.example/a/"})
    CHECK_FALSE(parse_repository(bad));
  CHECK(must(parse_repository("a.example/b")).tag == std::nullopt);
  CHECK(must(parse_repository("a.example/b:c")).tag == "c");
  CHECK(parse_repository("a.example/b@" + k_digest).error().message ==
        "'a.example/b@" + k_digest + "' has a digest, which nobody can choose");
}

TEST_CASE("a reference that is none says which form it is nearest to") {
  CHECK(refusal("oci:") == "'oci:' names no path");
  CHECK(refusal("oci::tag") == "'oci::tag' names no path");
  CHECK(refusal("oci:dir:") == "'oci:dir:' ends with an empty tag");
  CHECK(refusal("oci:dir@sha256:12") == "'sha256:12' is no SHA-256 digest");
  CHECK(refusal("docker:") == "'docker:' names no image");
  CHECK(refusal("docker:--privileged") == "'docker:--privileged' names no image");
  CHECK(refusal("podman:a b") == "'podman:a b' names no image");
  CHECK(refusal("docker://registry.example/a:b") ==
        "'docker://registry.example/a:b' is skopeo's way to name a registry");
  CHECK(refusal("team/pytorch:2.8") == "'team/pytorch:2.8' names no registry");
  CHECK(refusal("") == "'' names no registry");
  CHECK(refusal("registry.example/team/pytorch") ==
        "'registry.example/team/pytorch' has neither a tag nor a digest");
  CHECK(refusal("registry.example/Team:1") == "'Team' is no repository name");
  CHECK(refusal("registry.example/a/../b:1") == "'a/../b' is no repository name");
  CHECK(refusal("registry.example/a:" + std::string(129, 't')) == "'" + std::string(129, 't') + "' is no tag");
  CHECK(refusal("registry.example/a@sha512:00") == "'sha512:00' is no SHA-256 digest");
  CHECK(refusal("../out") == "'../out' names no registry");
  const auto folder = parse_reference("./out");
  REQUIRE_FALSE(folder);
  CHECK(folder.error().hints.at(1) == "a layout in the folder './out' is oci:./out");
}
