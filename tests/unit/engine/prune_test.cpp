#include "assembly/engine/prune.hpp"

#include "foundation/sys/environment.hpp"
#include "support/test_folder.hpp"

#include <catch2/catch.hpp>
#include <fcntl.h>
#include <sys/stat.h>

using namespace torchkiln;
using test::must;

namespace {

constexpr std::int64_t k_day_s = 86'400;

/// Sets back when a file or folder was read and written; when it was changed is the kernel's to say.
void set_times(const std::filesystem::path& path, std::int64_t seconds) {
  const timespec times[2] = {{seconds, 0}, {seconds, 0}};
  REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
}

}  // namespace

TEST_CASE("blobs and unpacked layers that were used since stay, others go, with what they take") {
  const test::TestFolder folder;
  const engine::Cache cache(folder.path("cache"), "/proc/self/exe");
  must(cache.prepare());
  CHECK(must(engine::prune(cache, sys::now_s() + k_day_s)).removed == 0);  // an empty one

  const auto blob = must(cache.blobs().put(std::string(10'000, 'a')));
  const auto shared = must(cache.blobs().put(std::string(20'000, 'b')));
  must(sys::link_or_copy(cache.blobs().path(shared), folder.path("layout")));
  const auto old_layer = base::Digest::of("old"), new_layer = base::Digest::of("new");
  for (const auto& layer : {old_layer, new_layer}) {
    must(sys::make_directories(cache.unpacked().path(layer) / "usr"));
    must(sys::write_file(cache.unpacked().path(layer) / "usr/file", std::string(5'000, 'c')));
  }
  set_times(cache.unpacked().path(old_layer).parent_path(), sys::now_s() - 40 * k_day_s);

  const auto kept = must(engine::prune(cache, sys::now_s() - 30 * k_day_s));
  CHECK(kept.removed == 1);
  CHECK_FALSE(cache.unpacked().contains(old_layer));
  CHECK(cache.unpacked().contains(new_layer));
  CHECK(cache.blobs().contains(blob));
  CHECK(kept.freed_bytes >= 5'000);
  CHECK(kept.kept_bytes >= 35'000);

  const auto all = must(engine::prune(cache, sys::now_s() + k_day_s));
  CHECK(all.removed == 3);
  CHECK_FALSE(cache.blobs().contains(shared));
  CHECK(all.freed_bytes >= 15'000);
  CHECK(all.freed_bytes < 35'000);  // the layout still has the shared one
  CHECK(all.kept_bytes == 0);
  CHECK(must(sys::read_file(folder.path("layout"))) == std::string(20'000, 'b'));
}
