#pragma once
// How long work tells what it is doing. Rooms call this interface; interface/console implements it for a
// terminal, plain lines and JSON. All calls may come from any thread.

#include <cstdint>
#include <string>
#include <string_view>

namespace torchkiln::base {

class Progress {
 public:
  virtual ~Progress() = default;

  /// Names one step; steps may overlap in time.
  using StepId = int;

  /// A step starts. `verb` is one capitalised word ("Locking"), `subject` what it is about.
  virtual StepId begin(std::string_view verb, std::string_view subject) = 0;
  /// `done` of `total` units (bytes or items) are finished; total 0 means unknown.
  virtual void update(StepId step, std::uint64_t done, std::uint64_t total) = 0;
  /// One line of a child program's output that belongs to the step.
  virtual void output(StepId step, std::string_view line) = 0;
  /// The step is finished; `outcome` says what came out, in a few words.
  virtual void end(StepId step, std::string_view outcome) = 0;
  /// The step will not finish.
  virtual void abandon(StepId step) = 0;
  /// Something the user should know although the work goes on.
  virtual void warn(std::string_view text) = 0;
};

/// Says nothing.
class SilentProgress final : public Progress {
 public:
  StepId begin(std::string_view, std::string_view) override { return 0; }
  void update(StepId, std::uint64_t, std::uint64_t) override {}
  void output(StepId, std::string_view) override {}
  void end(StepId, std::string_view) override {}
  void abandon(StepId) override {}
  void warn(std::string_view) override {}
};

/// A step that is abandoned unless it is ended.
class Step {
 public:
  Step(Progress& progress, std::string_view verb, std::string_view subject)
      : m_progress(&progress), m_id(progress.begin(verb, subject)) {}
  ~Step() {
    if (m_progress) m_progress->abandon(m_id);
  }
  Step(const Step&) = delete;
  Step& operator=(const Step&) = delete;

  void update(std::uint64_t done, std::uint64_t total) { m_progress->update(m_id, done, total); }
  void output(std::string_view line) { m_progress->output(m_id, line); }
  void end(std::string_view outcome) {
    m_progress->end(m_id, outcome);
    m_progress = nullptr;
  }

 private:
  Progress* m_progress;
  Progress::StepId m_id;
};

}  // namespace torchkiln::base
