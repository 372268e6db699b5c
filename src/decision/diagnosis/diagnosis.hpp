#pragma once
// Recognises the errors that programs with CUDA end with, out of the text of a log: what is the cause, what helps.
// Matching is by literal pieces in order, in time proportional to the log. docs/explain.md lists the errors.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::diagnosis {

/// The longest log that is looked at. Whoever has more passes the part around the error.
inline constexpr std::size_t k_log_bytes = 64U << 20;

/// What helps.
struct Remedy {
  std::string text;     ///< one line, without a full stop
  std::string command;  ///< to run; may be empty. Upper-case words in it are to be filled in
};

/// What the text of the error itself says, read.
struct Detail {
  std::string name;   ///< stable: "driver_cuda"
  std::string value;  ///< "11.0"
  std::string text;   ///< for people: "version 11000 is CUDA 11.0: the newest that this driver runs"
};

/// How surely a text means its cause.
enum class Weight {
  cause,   ///< the text names what is wrong
  symptom  ///< the text has more than one cause; the usual one is told
};

struct Finding {
  std::string id;  ///< "E01"
  std::string title;
  std::string cause;
  Weight weight = Weight::cause;
  std::vector<Remedy> remedies;      ///< nearest first
  std::vector<Detail> details;       ///< may be empty
  std::vector<std::string> threads;  ///< where people met it: "NVIDIA/nvidia-docker#400"
  std::size_t line = 0;              ///< of the log, from 1: where it stands first
  std::size_t times = 0;             ///< in how many lines it stands
  std::string quote;                 ///< that line without colours and white space at its ends, cut when it is long
};

/// The errors in a log, those that name their cause before symptoms, in the order of the log. Each error once. Of
/// two that would claim the same words the longer match counts. Empty when no text is known. Of a log that is
/// longer than k_log_bytes the last part counts.
std::vector<Finding> diagnose(std::string_view log);

}  // namespace torchkiln::diagnosis
