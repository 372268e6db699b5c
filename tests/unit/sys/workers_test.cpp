#include "foundation/sys/workers.hpp"

#include "support/must.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <set>
#include <unistd.h>

using torchkiln::base::ErrorCode;
using torchkiln::base::fail;
using torchkiln::base::Result;
using torchkiln::sys::Workers;
using torchkiln::test::error_of;
using torchkiln::test::must;

TEST_CASE("every task runs once, tasks of tasks too") {
  std::atomic<int> count{0};
  Workers workers(3);
  for (int i = 0; i < 50; ++i)
    workers.submit([&]() -> Result<void> {
      ++count;
      workers.submit([&]() -> Result<void> {
        ++count;
        return {};
      });
      return {};
    });
  must(workers.wait());
  CHECK(count == 100);
  workers.submit([&]() -> Result<void> {
    ++count;
    return {};
  });
  must(workers.wait());
  CHECK(count == 101);
}

TEST_CASE("tasks of higher priority begin first, equal ones in their order") {
  std::vector<int> order;
  Workers workers(1);
  std::atomic<bool> go{false};
  workers.submit([&]() -> Result<void> {
    while (!go) ::usleep(1000);
    return {};
  });
  for (const auto& [number, priority] :
       {std::pair(1, 0), std::pair(2, 5), std::pair(3, 0), std::pair(4, 9), std::pair(5, 5)})
    workers.submit(
        [&order, n = number]() -> Result<void> {
          order.push_back(n);
          return {};
        },
        priority);
  go = true;
  must(workers.wait());
  CHECK(order == std::vector<int>{4, 2, 5, 1, 3});
}

TEST_CASE("the first failure is kept and the rest of the queue dropped") {
  std::atomic<int> ran{0};
  Workers workers(1);
  std::atomic<bool> go{false};
  workers.submit([&]() -> Result<void> {
    while (!go) ::usleep(1000);
    return fail(ErrorCode::disk_full, "full");
  });
  for (int i = 0; i < 10; ++i)
    workers.submit([&]() -> Result<void> {
      ++ran;
      return fail(ErrorCode::internal, "never");
    });
  go = true;
  const auto error = error_of(workers.wait());
  CHECK(error.code == ErrorCode::disk_full);
  CHECK(error.message == "full");
  CHECK(ran == 0);
  CHECK(workers.failed());
}

TEST_CASE("ending the workers drops what has not begun and waits for what has") {
  std::atomic<int> begun{0}, ended{0};
  {
    Workers workers(2);
    for (int i = 0; i < 100; ++i)
      workers.submit([&]() -> Result<void> {
        ++begun;
        ::usleep(20'000);
        ++ended;
        return {};
      });
    while (begun < 1) ::usleep(1000);
  }
  CHECK(begun == ended);
  CHECK(begun < 100);
}
