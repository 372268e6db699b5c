#include "supervisor/supervise.hpp"

#include "supervisor/child.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

namespace torchkiln::verifier {
namespace {

constexpr auto k_interrupted = "interrupted before this test was done";

Clock::time_point deadline_after(double seconds) {
  return Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

std::string seconds_text(double number) {
  return Json(number).dump();
}

class Supervision {
 public:
  Supervision(const Assignment& assignment, const std::function<void(const Result&)>& announce,
              const volatile std::sig_atomic_t& interrupted)
      : m_assignment(assignment), m_announce(announce), m_interrupted(interrupted) {}

  Findings run() {
    for (const auto& test : m_assignment.tests) {
      const auto begin = Clock::now();
      auto result = result_of(test);
      result.seconds = seconds_since(begin);
      m_announce(result);
      m_findings.results.push_back(std::move(result));
    }
    return std::move(m_findings);
  }

 private:
  Result result_of(const Test& test) {
    if (m_interrupted != 0) return unmeasured(test, Verdict::skip, k_interrupted);
    if (const auto need = failed_need(test); !need.empty()) {
      return unmeasured(test, Verdict::skip, "needs " + need + ", which did not pass");
    }
    // A program that does not start once is not tried again for each of its tests.
    if (const auto broken = m_broken.find(test.program); broken != m_broken.end()) {
      auto result = broken->second;
      result.test = test;
      return result;
    }
    if (!m_child || m_running != test.program) {
      if (auto failure = start(test)) return *failure;
    }
    m_child->send(Json({{"test", test.id}}).dump() + "\n");
    const auto reading = m_child->next(deadline_after(test.timeout_s), m_interrupted);
    if (reading.event != Child::Event::line) return broken_off(test, reading.event);
    const auto answer = Json::parse(reading.line, nullptr, /*allow_exceptions=*/false);
    if (!answer.is_object() || answer.value("test", Json()) != test.id) {
      return ended(test, "the program's answer is not one about this test");
    }
    return judge(test, answer);
  }

  /// Starts the program of `test` and reads its facts; a result when that fails.
  std::optional<Result> start(const Test& test) {
    m_running = test.program;
    m_child = std::make_unique<Child>(m_assignment.commands.at(test.program));
    const Json context = {{"seed", m_assignment.seed},
                          {"scratch", m_assignment.scratch},
                          {"prefix", m_assignment.prefix},
                          {"site_packages", m_assignment.site_packages},
                          {"soak_s", m_assignment.soak_s}};
    m_child->send(context.dump() + "\n");
    const auto reading = m_child->next(deadline_after(m_assignment.start_timeout_s), m_interrupted);
    if (reading.event == Child::Event::interrupted) return unmeasured(test, Verdict::skip, k_interrupted);
    const auto answer = Json::parse(reading.line, nullptr, /*allow_exceptions=*/false);
    if (answer.is_object() && answer.contains("facts") && answer["facts"].is_object()) {
      merge(answer["facts"]);
      return std::nullopt;
    }
    const std::string program(name_of(test.program));
    auto failure = reading.event == Child::Event::timeout
                       ? timed_out(test, "timeout: the " + program + " program did not start within " +
                                             seconds_text(m_assignment.start_timeout_s) + " s")
                       : ended(test, "the " + program + " program did not start");
    m_broken.emplace(test.program, failure);
    return failure;
  }

  Result broken_off(const Test& test, Child::Event event) {
    switch (event) {
      case Child::Event::interrupted:
        return unmeasured(test, Verdict::skip, k_interrupted);
      case Child::Event::timeout:
        return timed_out(test, "timeout: no result within " + seconds_text(test.timeout_s) + " s");
      case Child::Event::flood:
        return ended(test, "the program's answer is a line without end");
      default:
        return ended(test, "the program ended in this test");
    }
  }

  Result timed_out(const Test& test, std::string reason) {
    auto result = unmeasured(test, Verdict::fail, std::move(reason));
    result.details["ended"] = m_child->end();
    add_last_words(result);
    return result;
  }

  Result ended(const Test& test, const std::string& reason) {
    auto result = unmeasured(test, Verdict::fail, reason + ": " + m_child->end());
    if (const auto words = last_line(m_child->last_words()); !words.empty()) result.reason += ": " + words;
    add_last_words(result);
    return result;
  }

  /// The process is over: the next test starts another.
  void add_last_words(Result& result) {
    if (!m_child->last_words().empty()) result.details["stderr"] = m_child->last_words();
    m_child.reset();
  }

  static std::string last_line(const std::string& text) {
    const auto end = text.find_last_not_of('\n');
    if (end == std::string::npos) return {};
    const auto begin = text.find_last_of('\n', end);
    return text.substr(begin + 1, end - begin);
  }

  /// The first test that `test` needs and that was run and did not pass; empty when there is none.
  std::string failed_need(const Test& test) const {
    for (const auto& result : m_findings.results) {
      const bool passed = result.verdict == Verdict::pass || result.verdict == Verdict::warn;
      const auto& needs = test.needs;
      if (!passed && std::find(needs.begin(), needs.end(), result.test.id) != needs.end()) return result.test.id;
    }
    return {};
  }

  void merge(const Json& facts) {
    for (const char* part : {"versions", "host"}) {
      const auto found = facts.find(part);
      if (found != facts.end() && found->is_object()) m_findings.facts[part].update(*found);
    }
  }

  const Assignment& m_assignment;
  const std::function<void(const Result&)>& m_announce;
  const volatile std::sig_atomic_t& m_interrupted;
  Findings m_findings;
  std::unique_ptr<Child> m_child;
  Program m_running = Program::boot;
  std::map<Program, Result> m_broken;
};

}  // namespace

Findings supervise(const Assignment& assignment, const std::function<void(const Result&)>& announce,
                   const volatile std::sig_atomic_t& interrupted) {
  return Supervision(assignment, announce, interrupted).run();
}

}  // namespace torchkiln::verifier
