#include "assembly/oci/image_config.hpp"
#include "assembly/oci/manifest.hpp"
#include "layout_fixture.hpp"

using namespace torchkiln;
using namespace torchkiln::oci;
using oci::test::must;

namespace {

ImageConfig full_config() {
  ImageConfig config;
  config.created = "2026-01-02T03:04:05Z";
  config.author = "somebody";
  config.variant = "v3";
  config.execution = {.user = "1000:1000",
                      .environment = {"PATH=/usr/bin:/bin", "EMPTY="},
                      .entrypoint = {"/usr/bin/tini", "--"},
                      .command = {"python3"},
                      .working_directory = "/home/kiln",
                      .labels = {{"org.opencontainers.image.title", "a \"title\""}, {"a", "ä"}},
                      .exposed_ports = {"8888/tcp", "22/tcp"},
                      .volumes = {"/data"},
                      .stop_signal = "SIGTERM",
                      .healthcheck = Healthcheck{{"CMD", "true"}, 30, 2.5, 0, 3}};
  config.diff_ids = {base::Digest::of("1"), base::Digest::of("2")};
  config.history = {
      {"2026-01-02T03:04:05Z", "first"}, {"", "settings", "", HistoryKind::configuration}, {"", "second", "why"}};
  return config;
}

std::string refusal(const ImageConfig& config) {
  const auto checked = oci::check(config);
  REQUIRE_FALSE(checked);
  return checked.error().message;
}

}  // namespace

TEST_CASE("a configuration has image-spec's members in image-spec's order") {
  CHECK(
      must(to_bytes(full_config())) ==
      R"({"created":"2026-01-02T03:04:05Z","author":"somebody","architecture":"amd64","os":"linux","variant":"v3",)"
      R"("config":{"User":"1000:1000","ExposedPorts":{"22/tcp":{},"8888/tcp":{}},)"
      R"("Env":["PATH=/usr/bin:/bin","EMPTY="],"Entrypoint":["/usr/bin/tini","--"],"Cmd":["python3"],)"
      R"("Volumes":{"/data":{}},"WorkingDir":"/home/kiln",)"
      R"("Labels":{"a":"ä","org.opencontainers.image.title":"a \"title\""},"StopSignal":"SIGTERM",)"
      R"("Healthcheck":{"Test":["CMD","true"],"Interval":30000000000,"Timeout":2500000000,"Retries":3}},)"
      R"("rootfs":{"type":"layers","diff_ids":[)"
      R"("sha256:6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b",)"
      R"("sha256:d4735e3a265e16eee03f59718b9b5d03019c07d8b6c51f90da3a666eec13ab35"]},)"
      R"("history":[{"created":"2026-01-02T03:04:05Z","created_by":"first"},)"
      R"({"created_by":"settings","empty_layer":true},{"created_by":"second","comment":"why"}]})");
}

TEST_CASE("a configuration that is written and read again is the same") {
  const auto bytes = must(to_bytes(full_config()));
  const auto again = must(parse_image_config(bytes, "config"));
  CHECK(again == full_config());
  CHECK(must(to_bytes(again)) == bytes);
}

TEST_CASE("a configuration of docker's is read: null stands for absent, unknown fields are ignored") {
  const auto config = must(parse_image_config(
      R"({"architecture":"arm64","os":"linux","config":{"Cmd":null,"Env":null,"Hostname":"","Tty":false,
          "Labels":null,"OnBuild":[],"Healthcheck":{"Test":["NONE"]}},"container":"abc","docker_version":"20.10",
          "rootfs":{"type":"layers","diff_ids":[]},"history":[{"created_by":"ENV a","empty_layer":true}]})",
      "config"));
  CHECK(config.architecture == "arm64");
  CHECK(config.execution.command.empty());
  CHECK(config.execution.healthcheck->test == std::vector<std::string>{"NONE"});
  CHECK(config.history.front().kind == HistoryKind::configuration);
}

TEST_CASE("a configuration that is no configuration says what it lacks") {
  CHECK(parse_image_config("{}", "f").error().message == "the document lacks \"architecture\"");
  CHECK(parse_image_config(R"({"architecture":"amd64","os":"linux"})", "f").error().message ==
        "the document lacks \"rootfs\"");
  CHECK(parse_image_config(R"({"architecture":"amd64","os":"linux","rootfs":{"type":"tree","diff_ids":[]}})", "f")
            .error()
            .message == "rootfs.type is \"tree\", not \"layers\"");
  CHECK(parse_image_config(
            R"({"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["sha512:00"]}})", "f")
            .error()
            .message == "rootfs.diff_ids[0] is \"sha512:00\", not \"sha256:\" and 64 lower-case hex digits");
}

TEST_CASE("what no engine would run as meant is refused before it is written") {
  CHECK(oci::check(full_config()));
  auto config = full_config();
  config.execution.environment = {"PATH=/bin", "PATH=/usr/bin"};
  CHECK(refusal(config) == "image configuration: environment PATH is set twice");
  config.execution.environment = {"NO_VALUE"};
  CHECK(refusal(config) == "image configuration: environment 'NO_VALUE' is not NAME=value");
  config.execution.environment = {"=x"};
  CHECK(refusal(config) == "image configuration: environment '=x' is not NAME=value");
  config.execution.environment = {"A=line\nRUN rm"};
  CHECK(refusal(config) == "image configuration: environment A has a control character");
  config = full_config();
  config.history.pop_back();
  CHECK(refusal(config) == "image configuration: the history tells of 1 layers, diff_ids of 2");
  config = full_config();
  config.created = "yesterday";
  CHECK(refusal(config) == "image configuration: 'yesterday' is no RFC 3339 time in UTC");
  config = full_config();
  config.execution.working_directory = "home";
  CHECK(refusal(config) == "image configuration: working directory 'home' is not absolute");
}

TEST_CASE("a manifest that is written and read again is the same") {
  Manifest manifest;
  manifest.config = {std::string(k_config_type), base::Digest::of("c"), 1};
  manifest.layers = {{std::string(k_layer_gzip_type), base::Digest::of("l"), 1, {{"k", "v"}}}};
  manifest.annotations = {{"b", "2"}, {"a", "1"}};
  const auto bytes = must(to_bytes(manifest));
  CHECK(bytes.starts_with(
      R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":)"));
  CHECK(bytes.ends_with(R"("annotations":{"a":"1","b":"2"}})"));
  CHECK(must(parse_manifest(bytes, "m")) == manifest);
}

TEST_CASE("an artifact has the empty configuration and points at its subject's bytes only") {
  const Descriptor image{std::string(k_manifest_type),  base::Digest::of("i"), 1, {{"tag", "t"}}, "",
                         Platform{"amd64", "linux", ""}};
  const auto manifest = artifact_about(image, "application/x", {{"application/x", base::Digest::of("x"), 1}}, {});
  CHECK(manifest.config.digest.to_string() ==
        "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
  CHECK(manifest.config.size_bytes == 2);
  CHECK(manifest.subject == Descriptor{std::string(k_manifest_type), base::Digest::of("i"), 1});
}

TEST_CASE("a manifest or index that is none says why") {
  const auto manifest_error = [](const char* text) { return parse_manifest(text, "m").error().message; };
  CHECK(manifest_error(R"({"schemaVersion":1})") == "schemaVersion is 1, not 2");
  CHECK(manifest_error(R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json"})") ==
        "mediaType is \"application/vnd.oci.image.index.v1+json\", not "
        "\"application/vnd.oci.image.manifest.v1+json\"");
  CHECK(parse_index(R"({"schemaVersion":2,"manifests":[{"mediaType":"a/b","digest":"sha256:zz","size":1}]})", "i")
            .error()
            .message == "manifests[0].digest is \"sha256:zz\", not \"sha256:\" and 64 lower-case hex digits");
  CHECK(parse_index(R"({"schemaVersion":2,"manifests":[{"mediaType":"a/b","digest":"sha256:)" +
                        std::string(64, '0') + R"(","size":-1}]})",
                    "i")
            .error()
            .message == "manifests[0].size is negative");
}
