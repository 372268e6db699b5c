#pragma once
// What the user asked to see and how: colours, progress, quiet or verbose, text or JSON.

#include <string>
#include <string_view>

namespace torchkiln::console {

enum class ProgressMode { automatic, tty, plain, json, none };
enum class ColorMode { automatic, always, never };
enum class Detail { quiet, normal, verbose };
enum class OutputFormat { text, json };

struct View {
  ProgressMode progress = ProgressMode::automatic;
  ColorMode color = ColorMode::automatic;
  Detail detail = Detail::normal;
  OutputFormat format = OutputFormat::text;
};

/// Whether a stream (1 or 2) gets colours: asked for, or a terminal without NO_COLOR and TERM=dumb.
enum class Coloring { off, on };
Coloring coloring_of(ColorMode mode, int fd);
/// What `automatic` means here: a live display on a terminal outside CI, else plain lines.
ProgressMode resolved(ProgressMode mode);

/// Text in colours, where they are on.
class Paint {
 public:
  explicit Paint(Coloring coloring) : m_coloring(coloring) {}
  std::string bold(std::string_view text) const { return wrap("1", text); }
  std::string dim(std::string_view text) const { return wrap("2", text); }
  std::string green(std::string_view text) const { return wrap("1;32", text); }
  std::string yellow(std::string_view text) const { return wrap("1;33", text); }
  std::string red(std::string_view text) const { return wrap("1;31", text); }
  std::string cyan(std::string_view text) const { return wrap("36", text); }

 private:
  std::string wrap(const char* code, std::string_view text) const;
  Coloring m_coloring;
};

/// One line of what is told about an image: "  digest     sha256:…".
std::string row(std::string_view label, std::string_view value);

/// Writes to standard output or error; a closed pipe ends nothing and is not an error.
void print_result(std::string_view text);
void print_message(std::string_view text);

}  // namespace torchkiln::console
