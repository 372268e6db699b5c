#include "foundation/sys/lane.hpp"

#include "support/must.hpp"

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <future>
#include <thread>
#include <vector>

using torchkiln::base::ErrorCode;
using torchkiln::base::fail;
using torchkiln::base::Result;
using torchkiln::sys::Lane;
using torchkiln::test::error_of;
using torchkiln::test::must;

TEST_CASE("a lane does its tasks in the order they were given") {
  std::vector<int> done;
  Lane lane(1000);
  for (int i = 0; i < 500; ++i)
    lane.give(1, [&done, i]() -> Result<void> {
      done.push_back(i);
      return {};
    });
  must(lane.drain());
  REQUIRE(done.size() == 500);
  CHECK(std::is_sorted(done.begin(), done.end()));
}

TEST_CASE("a lane holds no more than its limit, and one task that is larger by itself") {
  std::promise<void> go;
  const auto gone = go.get_future().share();
  std::atomic<int> given{0};
  Lane lane(10);
  const auto wait = [gone]() -> Result<void> {
    gone.wait();
    return {};
  };
  std::thread giver([&] {
    for (int i = 0; i < 5; ++i) {
      lane.give(4, wait);
      ++given;
    }
    lane.give(100, wait);
    ++given;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  CHECK(given <= 3);  // one that runs and what fits behind it
  go.set_value();
  giver.join();
  must(lane.drain());
  CHECK(given == 6);
}

TEST_CASE("after a failure a lane drops what comes, and tells the first one") {
  std::atomic<int> done{0};
  Lane lane(10);
  CHECK_FALSE(lane.failed());
  for (const char* what : {"first", "second"})
    lane.give(1, [&done, what]() -> Result<void> {
      ++done;
      return fail(ErrorCode::internal, what);
    });
  CHECK(error_of(lane.drain()).message == "first");
  CHECK(lane.failed());
  lane.give(1, [&done]() -> Result<void> {
    ++done;
    return {};
  });
  CHECK(error_of(lane.drain()).message == "first");
  CHECK(done == 1);
}

TEST_CASE("a lane that goes away drops what has not begun") {
  std::atomic<int> done{0};
  {
    Lane lane(1000);
    for (int i = 0; i < 100; ++i)
      lane.give(1, [&done]() -> Result<void> {
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
        ++done;
        return {};
      });
  }
  CHECK(done < 100);
}
