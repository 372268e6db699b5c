#include "foundation/sys/lane.hpp"

namespace torchkiln::sys {

Lane::Lane(std::uint64_t limit_bytes) : m_limit_bytes(limit_bytes), m_thread([this] { work(); }) {}

Lane::~Lane() {
  {
    const std::lock_guard lock(m_mutex);
    m_stop = true;
    m_queue.clear();
  }
  m_changed.notify_all();
  m_thread.join();
}

void Lane::give(std::uint64_t bytes, Task task) {
  std::unique_lock lock(m_mutex);
  // One task may be larger than the limit: it waits for an empty queue.
  m_changed.wait(lock, [&] { return m_error || m_queue.empty() || m_waiting_bytes + bytes <= m_limit_bytes; });
  if (m_error) return;
  m_waiting_bytes += bytes;
  m_queue.push_back({bytes, std::move(task)});
  m_changed.notify_all();
}

bool Lane::failed() const {
  const std::lock_guard lock(m_mutex);
  return m_error.has_value();
}

base::Result<void> Lane::drain() {
  std::unique_lock lock(m_mutex);
  m_changed.wait(lock, [&] { return m_queue.empty() && !m_is_busy; });
  if (m_error) return base::fail(*m_error);
  return {};
}

void Lane::work() {
  std::unique_lock lock(m_mutex);
  for (;;) {
    m_changed.wait(lock, [&] { return m_stop || !m_queue.empty(); });
    if (m_stop) return;
    auto entry = std::move(m_queue.front());
    m_queue.pop_front();
    m_is_busy = true;
    lock.unlock();
    auto result = entry.task();
    entry.task = nullptr;
    lock.lock();
    m_is_busy = false;
    m_waiting_bytes -= entry.bytes;
    if (!result && !m_error) {
      m_error = std::move(result).error();
      m_queue.clear();
      m_waiting_bytes = 0;
    }
    m_changed.notify_all();
  }
}

}  // namespace torchkiln::sys
