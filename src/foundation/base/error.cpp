#include "foundation/base/error.hpp"

#include <cstdio>
#include <cstdlib>

namespace torchkiln::base {

std::string_view name(ErrorCode code) {
  switch (code) {
    case ErrorCode::usage:
      return "usage";
    case ErrorCode::spec_invalid:
      return "spec-invalid";
    case ErrorCode::matrix_invalid:
      return "matrix-invalid";
    case ErrorCode::lock_invalid:
      return "lock-invalid";
    case ErrorCode::template_invalid:
      return "template-invalid";
    case ErrorCode::input_invalid:
      return "input-invalid";
    case ErrorCode::package_conflict:
      return "package-conflict";
    case ErrorCode::network_failed:
      return "network-failed";
    case ErrorCode::integrity_failed:
      return "integrity-failed";
    case ErrorCode::tool_missing:
      return "tool-missing";
    case ErrorCode::tool_failed:
      return "tool-failed";
    case ErrorCode::file_failed:
      return "file-failed";
    case ErrorCode::disk_full:
      return "disk-full";
    case ErrorCode::interrupted:
      return "interrupted";
    case ErrorCode::internal:
      return "internal";
  }
  return "internal";
}

int exit_status(ErrorCode code) {
  switch (code) {
    case ErrorCode::package_conflict:
      return 1;
    case ErrorCode::usage:
    case ErrorCode::spec_invalid:
    case ErrorCode::matrix_invalid:
    case ErrorCode::lock_invalid:
    case ErrorCode::template_invalid:
    case ErrorCode::input_invalid:
      return 2;
    case ErrorCode::network_failed:
    case ErrorCode::integrity_failed:
    case ErrorCode::tool_missing:
    case ErrorCode::tool_failed:
    case ErrorCode::file_failed:
    case ErrorCode::disk_full:
      return 3;
    case ErrorCode::interrupted:
      return 130;
    case ErrorCode::internal:
      return 70;
  }
  return 70;
}

std::string Place::to_string() const {
  std::string text = file;
  if (line > 0) text += ":" + std::to_string(line);
  if (line > 0 && column > 0) text += ":" + std::to_string(column);
  return text;
}

void broken_invariant(const char* condition, const char* why, const char* file, int line) {
  std::fprintf(stderr, "torchkiln: internal error: %s (%s) at %s:%d\n", why, condition, file, line);
  std::_Exit(70);
}

}  // namespace torchkiln::base
