#include "proof/verify/static_tests.hpp"

#include "foundation/base/text.hpp"
#include "foundation/sys/environment.hpp"
#include "knowledge/wheel/install.hpp"
#include "proof/verify/file_tests.hpp"
#include "proof/verify/label_tests.hpp"
#include "proof/verify/secret_tests.hpp"

#include <algorithm>
#include <functional>

#include <fmt/format.h>

namespace torchkiln::verify {

using base::Result;
namespace fs = std::filesystem;

namespace {

using Faults = Result<std::vector<std::string>>;

/// Runs a check that lists what is wrong: passed when the list is empty.
Result<report::TestOutcome> count_faults(const std::string& id, const std::string& measures,
                                         const std::function<Faults()>& check) {
  const double start_s = sys::monotonic_s();
  TK_TRY(const auto faults, check());
  report::TestOutcome test;
  test.id = id;
  test.level = report::Level::static_;
  test.verdict = faults.empty() ? report::TestVerdict::pass : report::TestVerdict::fail;
  constexpr std::size_t k_shown = 5;
  for (std::size_t i = 0; i < std::min(k_shown, faults.size()); ++i) test.reason += (i ? "; " : "") + faults[i];
  if (faults.size() > k_shown) test.reason += fmt::format("; and {} more", faults.size() - k_shown);
  test.measured = faults.size();
  test.limit = 0;
  test.measures = measures;
  test.compare = "at most";
  test.duration_s = sys::monotonic_s() - start_s;
  return test;
}

std::vector<std::string> user_faults(const oci::ImageConfig& config) {
  const auto& user = config.execution.user;
  const auto number = base::parse_integer(user.substr(0, user.find(':')));
  if (!number) return {"the image's user is '" + user + "', not a number"};
  if (*number == 0) return {"the image's user is root"};
  return {};
}

}  // namespace

Result<std::vector<report::TestOutcome>> run_static_tests(const oci::Layout& layout, const oci::Image& image,
                                                          const oci::ImageConfig& config, const lock::Lock* lock,
                                                          const std::vector<fs::path>& lower, base::Step& step) {
  std::vector<report::TestOutcome> tests;
  auto add = [&](const std::string& id, const std::string& measures,
                 const std::function<Faults()>& check) -> Result<void> {
    TK_TRY(auto test, count_faults(id, measures, check));
    step.output(fmt::format("{:4}  {}", test.verdict == report::TestVerdict::pass ? "pass" : "fail", test.id));
    tests.push_back(std::move(test));
    return {};
  };
  TK_CHECK(add("static.blobs", "blobs, digests, sizes and diff_ids that disagree", [&]() -> Faults {
    TK_TRY(const auto faults, layout.check(image, oci::CheckDepth::every_byte, [](std::uint64_t) {}));
    std::vector<std::string> found;
    for (const auto& fault : faults) found.push_back(fault.file.filename().string() + " " + fault.what);
    return found;
  }));
  TK_TRY(const auto tree, ImageTree::read(lower));
  const auto site_packages = site_packages_of(config);
  TK_CHECK(add("static.secrets", "host keys, private keys and tokens in any layer, environment or history",
               [&] { return secret_faults(config, lower); }));
  TK_CHECK(add("static.user", "whether the user is root or has no number",
               [&]() -> Faults { return user_faults(config); }));
  TK_CHECK(add("static.environment", "variables that hide GPUs or bring other libraries, modules or requirements",
               [&]() -> Faults { return environment_faults(config); }));
  TK_CHECK(add("static.labels", "labels that the installed wheels contradict",
               [&] { return label_faults(config, tree); }));
  TK_CHECK(add("static.records", "files that are not what their wheel recorded",
               [&] { return record_faults(tree, site_packages); }));
  TK_CHECK(add("static.libraries", "libraries and versions of symbols that the dynamic loader would miss",
               [&] { return library_faults(tree, wheel::InstallScheme().prefix); }));
  TK_CHECK(add("static.copies", "torch's and CUDA's libraries that are there more than once",
               [&]() -> Faults { return copy_faults(tree); }));
  // A torch that has lost its CUDA library is static.records's to find; one for the CPU promises nothing, and where
  // the lock knows no architectures nobody does.
  const auto promised = config.execution.labels.find("dev.torchkiln.gpu-architectures");
  const bool has_promise = promised != config.execution.labels.end();
  const bool is_unknown = lock && lock->resolution.sass.empty() && !has_promise;
  if (tree.file(torch_cuda_library(site_packages)) != nullptr && !is_unknown) {
    TK_CHECK(add("static.architectures", "promised GPU architectures without machine code in most modules",
                 [&]() -> Faults {
                   if (!has_promise) return std::vector<std::string>{"no label says which GPUs it has code for"};
                   return architecture_faults(tree, site_packages, promised->second);
                 }));
  }
  if (lock) {
    TK_CHECK(add("static.lock", "tag, labels and environment that are not the lock's",
                 [&]() -> Faults { return lock_faults(image, config, *lock); }));
    TK_CHECK(add("static.packages", "wheels and Debian packages that are not the lock's",
                 [&] { return package_faults(*lock, variant_of(config), tree); }));
    TK_CHECK(add("static.layers", "layers of wheels that are not the lock's",
                 [&]() -> Faults { return wheel_layer_faults(*lock, variant_of(config), config); }));
  }
  return tests;
}

}  // namespace torchkiln::verify
