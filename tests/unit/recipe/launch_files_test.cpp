#include "plan/recipe/launch_files.hpp"

#include "support/golden.hpp"
#include "unit/lock/lock_fixture.hpp"

#include <catch2/catch.hpp>

using namespace torchkiln::recipe;
using torchkiln::lock::test::a_lock;
using torchkiln::spec::Part;
using torchkiln::spec::Variant;
using torchkiln::test::difference_to_golden;
using torchkiln::test::must;

namespace {

std::vector<ContextFile> files_of(const torchkiln::lock::Lock& lock, const std::vector<Variant>& variants) {
  std::vector<Recipe> recipes;
  for (const auto variant : variants) recipes.push_back(make_recipe(lock, variant));
  return must(render_launch_files(lock, recipes, TK_SOURCE_DIR "/templates"));
}

std::string text_of(const std::vector<ContextFile>& files, const std::string& path) {
  for (const auto& file : files)
    if (file.path == path) return file.content;
  FAIL(path << " is not there");
  return "";
}

using Catch::Matchers::Contains;

}  // namespace

TEST_CASE("the files that start a family are the golden ones") {
  const auto files = files_of(a_lock(), {Variant(), {Part::jupyter}, {Part::devel, Part::jupyter, Part::ssh}});
  REQUIRE(files.size() == 7);
  for (const auto* name : {"compose.yaml", "docker-bake.hcl", "devcontainer.json", "pod.yaml", "runtime.def"})
    CHECK(difference_to_golden(name, text_of(files, name)) == "");
  CHECK_THAT(text_of(files, "devel-jupyter-ssh.def"), Contains("-devel-jupyter-ssh\n"));
}

TEST_CASE("one develops in the image with compilers, and with the most beside them") {
  const auto bench = [](const std::vector<Variant>& variants) {
    return text_of(files_of(a_lock(), variants), "devcontainer.json");
  };
  CHECK_THAT(bench({Variant(), {Part::jupyter, Part::ssh}, {Part::devel}}), Contains("-devel\""));
  CHECK_THAT(bench({{Part::ssh}, {Part::jupyter, Part::ssh}}), Contains("-jupyter-ssh\""));
  CHECK_THAT(bench({Variant()}), Contains("-runtime\"") && Contains("\"forwardPorts\": []"));
}

TEST_CASE("a pod is named as Kubernetes allows, whatever the repository is called") {
  auto lock = a_lock();
  lock.image_name = "registry.example/some__team/" + std::string(80, 'x');
  const auto pods = text_of(files_of(lock, {Variant()}), "pod.yaml");
  CHECK_THAT(pods, Contains("name: \"registry-example-some-team-xxxxxxxxxxxxx-runtime\""));
}
