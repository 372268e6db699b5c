// Writes a layout with one stamped image, for tests that look at it with other programs:
//   make_stamped_layout LAYOUT KEY PASSPHRASE_FILE|- LAYER DIFF_ID [LAYER DIFF_ID]...
// The report is invented; keys, image and stamp are the real thing. Prints what it made as JSON.

#include "foundation/sys/files.hpp"
#include "proof/stamp/check.hpp"
#include "proof/stamp/stamp.hpp"

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

using namespace torchkiln;
using document::Json;

namespace {

constexpr std::int64_t k_now_s = 1'772'359'560;  // 2026-03-01T10:06:00Z

base::Result<std::vector<oci::Descriptor>> add_layers(const oci::Layout& layout, int argc, char** argv,
                                                      oci::ImageConfig& config) {
  std::vector<oci::Descriptor> layers;
  for (int i = 4; i + 1 < argc; i += 2) {
    TK_TRY(const auto bytes, sys::read_file(argv[i]));
    TK_TRY(const auto diff_id, base::Digest::parse(argv[i + 1]));
    TK_TRY(auto layer,
           layout.add_file(argv[i], base::Digest::of(bytes), oci::k_layer_gzip_type, oci::Trust::hash_again));
    layers.push_back(std::move(layer));
    config.diff_ids.push_back(diff_id);
    config.history.push_back({config.created, "torchkiln test layer " + std::to_string(config.diff_ids.size())});
  }
  return layers;
}

oci::ImageConfig make_config() {
  oci::ImageConfig config;
  config.created = "2026-03-01T09:00:00Z";
  config.execution.user = "1000:1000";
  config.execution.environment = {"PATH=/usr/bin:/bin", "NVIDIA_VISIBLE_DEVICES=all"};
  config.execution.entrypoint = {"/usr/bin/tini", "--"};
  config.execution.command = {"/bin/sh"};
  config.execution.working_directory = "/work";
  config.execution.labels = {{"org.opencontainers.image.title", "interop"},
                             {"dev.torchkiln.pytorch", "2.8.0+cu128"},
                             {"dev.torchkiln.python", "3.11"},
                             {"dev.torchkiln.os", "debian-12"}};
  config.execution.exposed_ports = {"22/tcp"};
  config.execution.stop_signal = "SIGTERM";
  config.execution.healthcheck = oci::Healthcheck{{"CMD", "/bin/true"}, 30, 5, 0, 3};
  config.history = {{config.created, "torchkiln settings", "", oci::HistoryKind::configuration}};
  return config;
}

std::string make_report(const base::Digest& image) {
  const auto test = [](const char* id, const char* level, const char* verdict) -> Json {
    return {{"id", id},     {"level", level},  {"verdict", verdict},
            {"reason", ""}, {"measured", 0.5}, {"seconds", 1.5}};
  };
  const Json gpu = {{"name", "NVIDIA H200"}, {"uuid_sha256", ""}, {"compute_capability", "9.0"}};
  const Json report = {
      {"schema", "torchkiln.report/1"},
      {"image", {{"digest", image.to_string()}, {"name", "team/interop:t"}}},
      {"lock", {{"digest", base::Digest::of("lock").to_string()}}},
      {"suite", {{"digest", base::Digest::of("suite").to_string()}}},
      {"nonce", "00112233445566778899aabbccddeeff"},
      {"host",
       {{"kernel", "6.1.0"},
        {"arch", "x86_64"},
        {"cpu", "A"},
        {"driver", "570.133.20"},
        {"gpus", Json::array({gpu})},
        {"runtime", "runc"}}},
      {"versions", {{"torch", "2.8.0+cu128"}}},
      {"level_asked", "gpu"},
      {"level_reached", "gpu"},
      {"started", "2026-03-01T10:00:00Z"},
      {"finished", "2026-03-01T10:05:00Z"},
      {"tests", Json::array({test("files", "static", "pass"), test("import", "boot", "pass"),
                             test("train.cpp", "cpu", "pass"), test("train.cuda", "gpu", "warn")})}};
  return report.dump();
}

base::Result<std::string> run(int argc, char** argv) {
  TK_TRY(const auto layout, oci::Layout::create(argv[1]));
  std::optional<stamp::Passphrase> passphrase;
  if (std::string(argv[3]) != "-") {
    TK_TRY(auto words, stamp::Passphrase::from_file(argv[3]));
    passphrase.emplace(std::move(words));
  }
  TK_TRY(const auto key, stamp::PrivateKey::load_or_create(argv[2], passphrase ? &*passphrase : nullptr));

  oci::ImageParts parts{.config = make_config(), .layers = {}, .tag = "t", .name = "team/interop:t"};
  parts.annotations = {{"org.opencontainers.image.title", "interop"}};
  TK_TRY(parts.layers, add_layers(layout, argc, argv, parts.config));
  TK_CHECK(layout.put_image(parts));
  TK_TRY(const auto image, layout.find_image("t"));
  const auto report = make_report(image.descriptor.digest);
  TK_TRY(const auto stamp, stamp::attach(layout, image, {.report = report, .report_file = "invented report"}, key));
  TK_TRY(const auto verdict, stamp::check(layout, image, {.keys = {key.public_key()}}, k_now_s));
  return document::to_bytes({{"image", image.descriptor.digest.to_string()},
                             {"stamp", stamp.referrer.digest.to_string()},
                             {"public_key", stamp::public_path(argv[2]).string()},
                             {"statements", stamp::statements_path(layout).string()},
                             {"satisfied", verdict.is_satisfied()}});
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 6 || argc % 2 != 0) {
    std::fputs("usage: make_stamped_layout LAYOUT KEY PASSPHRASE_FILE|- LAYER DIFF_ID [LAYER DIFF_ID]...\n",
               stderr);
    return EXIT_FAILURE;
  }
  const auto made = run(argc, argv);
  if (!made) {
    const auto& error = made.error();
    std::fprintf(stderr, "%s%s\n", error.where ? (error.where->to_string() + ": ").c_str() : "",
                 error.message.c_str());
    return EXIT_FAILURE;
  }
  std::puts(made->c_str());
  return EXIT_SUCCESS;
}
