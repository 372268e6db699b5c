#pragma once
// A fixed number of threads that work off a queue. The first failure is kept and the rest of the queue dropped.

#include "foundation/base/error.hpp"

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace torchkiln::sys {

class Workers {
 public:
  using Task = std::function<base::Result<void>()>;

  explicit Workers(unsigned threads);
  /// Drops what has not begun and waits for what has.
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  /// Queues a task; tasks of higher priority begin first. Tasks may submit tasks.
  void submit(Task task, std::int64_t priority = 0);
  /// Whether a task failed already, so that more work is pointless.
  bool failed() const;
  /// Waits until the queue is empty and all tasks have ended; the first failure, if any. The workers can be used
  /// again afterwards if there was none.
  base::Result<void> wait();

 private:
  struct Entry {
    std::int64_t priority;
    Task task;
  };
  void work();

  mutable std::mutex m_mutex;
  std::condition_variable m_wake;
  std::condition_variable m_idle;
  std::deque<Entry> m_queue;
  std::size_t m_running = 0;
  bool m_stop = false;
  std::optional<base::Error> m_error;
  std::vector<std::thread> m_threads;
};

}  // namespace torchkiln::sys
