#include "foundation/sys/workers.hpp"

#include "foundation/sys/interrupt.hpp"

#include <algorithm>

namespace torchkiln::sys {

Workers::Workers(unsigned threads) {
  for (unsigned i = 0; i < std::max(1U, threads); ++i) m_threads.emplace_back([this] { work(); });
}

Workers::~Workers() {
  {
    const std::lock_guard lock(m_mutex);
    m_stop = true;
    m_queue.clear();
  }
  m_wake.notify_all();
  for (auto& thread : m_threads) thread.join();
}

void Workers::submit(Task task, std::int64_t priority) {
  {
    const std::lock_guard lock(m_mutex);
    if (m_error || m_stop) return;
    const auto place =
        std::find_if(m_queue.begin(), m_queue.end(), [&](const Entry& e) { return e.priority < priority; });
    m_queue.insert(place, {priority, std::move(task)});
  }
  m_wake.notify_one();
}

bool Workers::failed() const {
  const std::lock_guard lock(m_mutex);
  return m_error.has_value();
}

base::Result<void> Workers::wait() {
  std::unique_lock lock(m_mutex);
  m_idle.wait(lock, [&] { return m_queue.empty() && m_running == 0; });
  if (m_error) return base::fail(*m_error);
  return {};
}

void Workers::work() {
  std::unique_lock lock(m_mutex);
  for (;;) {
    m_wake.wait(lock, [&] { return m_stop || !m_queue.empty(); });
    if (m_stop) return;
    auto task = std::move(m_queue.front().task);
    m_queue.pop_front();
    ++m_running;
    lock.unlock();
    auto result = interrupted() ? base::Result<void>(interrupted_error()) : task();
    task = nullptr;
    lock.lock();
    --m_running;
    if (!result && !m_error) {
      m_error = std::move(result).error();
      m_queue.clear();
    }
    if (m_queue.empty() && m_running == 0) m_idle.notify_all();
  }
}

}  // namespace torchkiln::sys
