#pragma once
// One thread that does tasks one after the other, in the order they were given: the stages of a pipeline, such as
// hashing what another thread inflates.

#include "foundation/base/error.hpp"

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

namespace torchkiln::sys {

class Lane {
 public:
  using Task = std::function<base::Result<void>()>;

  /// At most `limit_bytes` of what tasks hold may wait at once.
  explicit Lane(std::uint64_t limit_bytes);
  /// Drops what has not begun and waits for what has.
  ~Lane();
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  /// Queues a task that holds `bytes` bytes; waits while the queue is full. After a failure tasks are dropped.
  void give(std::uint64_t bytes, Task task);
  /// Whether a task failed already, so that more work is pointless.
  bool failed() const;
  /// Waits until all that was given is done; the first failure, if any.
  base::Result<void> drain();

 private:
  struct Entry {
    std::uint64_t bytes;
    Task task;
  };
  void work();

  const std::uint64_t m_limit_bytes;
  mutable std::mutex m_mutex;
  std::condition_variable m_changed;
  std::deque<Entry> m_queue;
  std::uint64_t m_waiting_bytes = 0;
  bool m_is_busy = false;
  bool m_stop = false;
  std::optional<base::Error> m_error;
  std::thread m_thread;
};

}  // namespace torchkiln::sys
