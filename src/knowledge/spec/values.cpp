#include "knowledge/spec/values.hpp"

#include "foundation/base/text.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace torchkiln::spec {

namespace {

using base::ErrorCode;

constexpr std::size_t k_image_name_max = 255;  // OCI distribution specification
constexpr std::size_t k_user_name_max = 32;    // useradd(8)
constexpr std::size_t k_text_max = 1024;       // any other single value

base::Unexpected invalid(std::string message, std::string hint) {
  return base::fail(ErrorCode::input_invalid, std::move(message), {std::move(hint)});
}

bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_alphanumeric(char c) {
  return is_lower(c) || is_digit(c) || (c >= 'A' && c <= 'Z');
}

/// A requirement on versions that have two numbers, such as Python's and CUDA's here.
base::Result<version::SpecifierSet> parse_minor(std::string_view text, std::string_view what,
                                                std::string_view why) {
  TK_TRY(auto set, version::SpecifierSet::parse(text));
  if (set.names_local() || set.longest_release() > 2)
    return invalid(fmt::format("\"{}\" is too exact: {} versions have two numbers here", text, what),
                   std::string(why));
  return set;
}

/// distribution/reference: path-component = alpha-numeric [separator alpha-numeric]*, separator = "_" | "." | "__"
/// |
/// "-"*.
bool is_path_component(std::string_view component) {
  const auto is_plain = [](char c) { return is_lower(c) || is_digit(c); };
  if (component.empty() || !is_plain(component.front()) || !is_plain(component.back())) return false;
  for (std::size_t i = 0; i < component.size();) {
    if (is_plain(component[i])) {
      ++i;
      continue;
    }
    const auto end = std::find_if(component.begin() + static_cast<std::ptrdiff_t>(i), component.end(), is_plain);
    const std::string_view separator = component.substr(i, static_cast<std::size_t>(end - component.begin()) - i);
    const bool dashes = separator.find_first_not_of('-') == std::string_view::npos;
    if (!dashes && separator != "_" && separator != "." && separator != "__") return false;
    i += separator.size();
  }
  return true;
}

/// distribution/reference: host name components of letters, digits and inner dashes, and a port.
bool is_registry(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon != std::string_view::npos) {
    const auto port = text.substr(colon + 1);
    if (port.empty() || port.size() > 5 || !std::all_of(port.begin(), port.end(), is_digit)) return false;
    text = text.substr(0, colon);
  }
  for (const auto label : base::split(text, '.')) {
    if (label.empty() || label.front() == '-' || label.back() == '-') return false;
    if (!std::all_of(label.begin(), label.end(), [](char c) { return is_alphanumeric(c) || c == '-'; }))
      return false;
  }
  return true;
}

/// The PyPA specification "Names and normalization".
std::string normalised(std::string_view name) {
  std::string result;
  for (const char c : base::lower(name)) {
    const bool separator = c == '-' || c == '_' || c == '.';
    if (!separator)
      result += c;
    else if (!result.ends_with('-'))
      result += '-';
  }
  return result;
}

bool is_package_name(std::string_view name) {
  return !name.empty() && is_alphanumeric(name.front()) && is_alphanumeric(name.back()) &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return is_alphanumeric(c) || c == '-' || c == '_' || c == '.'; });
}

}  // namespace

std::string_view name(Prefer prefer) {
  constexpr std::array<std::string_view, 4> k_names{"stable", "newest", "smallest", "proven"};
  return k_names[static_cast<std::size_t>(prefer)];
}

base::Result<Prefer> parse_prefer(std::string_view text) {
  for (const auto prefer : k_preferences)
    if (name(prefer) == text) return prefer;
  return invalid(fmt::format("\"{}\" is no preference", text), "preferences are stable, newest, smallest, proven");
}

std::string_view name(ToolkitSource source) {
  constexpr std::array<std::string_view, 4> k_names{"none", "wheels", "archives", "base"};
  return k_names[static_cast<std::size_t>(source)];
}

base::Result<ToolkitSource> parse_toolkit_source(std::string_view text) {
  for (const auto source :
       {ToolkitSource::none, ToolkitSource::wheels, ToolkitSource::archives, ToolkitSource::base})
    if (name(source) == text) return source;
  return invalid(fmt::format("\"{}\" is no source of a CUDA toolkit", text),
                 "sources are wheels, archives, base and none");
}

base::Result<std::string> parse_architecture(std::string_view text) {
  if (text == "x86_64" || text == "amd64") return std::string("x86_64");
  if (text == "aarch64" || text == "arm64") return std::string("aarch64");
  return invalid(fmt::format("there is no architecture \"{}\"", text), "architectures are x86_64 and aarch64");
}

base::Result<version::SpecifierSet> parse_pytorch(std::string_view text) {
  if (text == "latest" || text == "newest" || text == "stable")
    return invalid(fmt::format("\"{}\" is not a version", text), "leave it out: the newest that fits is chosen");
  return version::SpecifierSet::parse(text);
}

base::Result<version::SpecifierSet> parse_python(std::string_view text) {
  if (base::trim(text).ends_with('t'))
    return invalid(fmt::format("\"{}\": free-threaded Python is not supported", text),
                   "write the version without \"t\"");
  for (const std::string_view prefix : {"python", "Python ", "cp3", "py3"}) {
    if (!text.starts_with(prefix)) continue;
    auto number = std::string(base::trim(text.substr(prefix.ends_with('3') ? 2 : prefix.size())));
    if (number.find('.') == std::string::npos && number.size() > 1) number.insert(1, ".");
    return invalid(fmt::format("\"{}\" is not a version", text), fmt::format("write \"{}\"", number));
  }
  return parse_minor(text, "Python", "write 3.11: the operating system brings the patch release");
}

base::Result<version::SpecifierSet> parse_cuda(std::string_view text) {
  if (text.starts_with("cu")) {
    if (const auto cuda = version::CudaVersion::from_build_name(text))
      return invalid(fmt::format("\"{}\" is a build name, not a CUDA version", text),
                     fmt::format("write \"{}\"", cuda->to_string()));
  }
  return parse_minor(text, "CUDA", "write 12.8: PyTorch names its builds by CUDA's minor version");
}

base::Result<version::SpecifierSet> parse_library(std::string_view text) {
  TK_TRY(auto set, version::SpecifierSet::parse(text));
  if (set.names_local())
    return invalid(fmt::format("\"{}\" names a local version", text), "leave out what follows \"+\"");
  return set;
}

base::Result<version::DriverVersion> parse_driver(std::string_view text) {
  const auto first = text.find_first_not_of("<>=~! ");
  if (first != std::string_view::npos && first > 0 && text.front() != ' ')
    return invalid(fmt::format("\"{}\": the driver is one version, the oldest that the image must run on", text),
                   fmt::format("write \"{}\"", text.substr(first)));
  return version::DriverVersion::parse(text);
}

base::Result<std::string> parse_os(std::string_view text) {
  const auto dash = text.find('-');
  const bool well_formed = dash != std::string_view::npos && dash > 0 && dash + 1 < text.size() &&
                           text.size() <= k_text_max && std::all_of(text.begin(), text.end(), [](char c) {
                             return is_lower(c) || is_digit(c) || c == '-' || c == '.';
                           });
  if (!well_formed) {
    // "ubuntu22.04" and "ubuntu:22.04", as they are written elsewhere.
    const auto number = text.find_first_of("0123456789");
    const auto letters = base::lower(text.substr(0, std::min(text.find_first_of(": _0123456789"), text.size())));
    const bool is_guess = !letters.empty() && std::all_of(letters.begin(), letters.end(), is_lower) &&
                          number != std::string_view::npos && text.size() - number < 8;
    return invalid(fmt::format("\"{}\" is not the name of an operating system", text),
                   is_guess ? fmt::format("write \"{}-{}\"", letters, text.substr(number))
                            : "write it like debian-12 or ubuntu-24.04");
  }
  return std::string(text);
}

base::Result<std::string> parse_gpu(std::string_view text) {
  const auto trimmed = base::trim(text);
  if (trimmed.empty() || trimmed.size() > k_text_max)
    return invalid(fmt::format("\"{}\" is not a GPU", trimmed.substr(0, 40)), "write a model (A100) or sm_80");
  // "3090" is short for a model.
  const bool is_number = is_digit(trimmed.front()) && trimmed.find_first_not_of("0123456789.") == std::string::npos;
  if (base::lower(trimmed).starts_with("sm_") || (is_number && trimmed.size() < 4)) {
    TK_TRY([[maybe_unused]] auto compute, version::ComputeCapability::parse(trimmed));
  }
  return std::string(trimmed);
}

base::Result<std::string> parse_python_version(std::string_view text) {
  TK_TRY(const auto version, version::Version::parse(text));
  if (!version.is_release_only() || text != fmt::format("{}.{}", version.part(0), version.part(1)))
    return invalid(fmt::format("\"{}\" is not a minor version of Python", text), "write it like 3.12");
  return std::string(text);
}

base::Result<std::string> parse_url(std::string_view text) {
  const bool is_plain = std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
  if (!is_plain || text.size() > k_text_max || !(text.starts_with("https://") || text.starts_with("http://")))
    return invalid(fmt::format("\"{}\" is not an address", base::without_credentials(text.substr(0, 100))),
                   "write it like https://files.example/python.tar.gz");
  return std::string(text);
}

base::Result<std::string> parse_image_name(std::string_view text) {
  const std::string hint =
      "image names look like team/pytorch: lower-case letters, digits and single . _ - between them";
  if (text.empty() || text.size() > k_image_name_max)
    return invalid(text.empty() ? "the image name is empty"
                                : fmt::format("the image name is longer than {} characters", k_image_name_max),
                   hint);
  if (text.substr(text.rfind('/') + 1).find_first_of(":@") != std::string_view::npos)
    return invalid(fmt::format("image name \"{}\" must not have a tag or digest", text),
                   "leave it out: torchkiln derives the tag from the versions");
  auto components = base::split(text, '/');
  const auto first = components.front();
  const bool has_registry =
      components.size() > 1 && (first.find('.') != std::string_view::npos ||
                                first.find(':') != std::string_view::npos || first == "localhost");
  if (has_registry) {
    if (!is_registry(first))
      return invalid(fmt::format("\"{}\" is not a registry in image name \"{}\"", first, text), hint);
    components.erase(components.begin());
  }
  for (const auto component : components) {
    if (is_path_component(component)) continue;
    return invalid(fmt::format("image name \"{}\" is not allowed at \"{}\"", text, component),
                   base::lower(text) != text ? fmt::format("write \"{}\"", base::lower(text)) : hint);
  }
  return std::string(text);
}

base::Result<PythonPackage> parse_python_package(std::string_view text) {
  const std::string hint = "write a name and, if needed, versions: numpy or numpy>=2,<3";
  PythonPackage package;
  package.text = std::string(base::trim(text));
  std::string_view rest = package.text;
  if (rest.size() > k_text_max) return invalid("the requirement is too long", hint);
  if (rest.find('@') != std::string_view::npos)
    return invalid(fmt::format("\"{}\": packages by URL are not supported", base::without_credentials(rest)), hint);
  const auto semicolon = rest.find(';');
  if (semicolon != std::string_view::npos) {
    package.marker = std::string(base::trim(rest.substr(semicolon + 1)));
    if (package.marker.empty()) return invalid(fmt::format("\"{}\" has nothing after \";\"", text), hint);
    rest = base::trim(rest.substr(0, semicolon));
  }
  const auto name_end = std::min(rest.find_first_of("[(<>=!~ \t"), rest.size());
  const auto written = rest.substr(0, name_end);
  if (!is_package_name(written)) return invalid(fmt::format("\"{}\" is not a Python requirement", text), hint);
  package.name = normalised(written);
  rest = base::trim(rest.substr(name_end));
  if (rest.starts_with('[')) {
    const auto close = rest.find(']');
    if (close == std::string_view::npos) return invalid(fmt::format("\"{}\" has no \"]\"", text), hint);
    for (const auto extra : base::split(rest.substr(1, close - 1), ',')) {
      if (!is_package_name(base::trim(extra)))
        return invalid(fmt::format("\"{}\" names no extra between \"[\" and \"]\"", text), hint);
      package.extras.push_back(normalised(base::trim(extra)));
    }
    std::sort(package.extras.begin(), package.extras.end());
    rest = base::trim(rest.substr(close + 1));
  }
  if (rest.starts_with('(') && rest.ends_with(')')) rest = base::trim(rest.substr(1, rest.size() - 2));
  if (!rest.empty()) {
    if (rest.find_first_of("<>=!~") != 0)
      return invalid(fmt::format("\"{}\" is not a Python requirement", text), hint);
    TK_TRY(package.versions, version::SpecifierSet::parse(rest));
  }
  if (package.name == "torch")
    return invalid("torch is not listed among the packages: every image has it",
                   "set pytorch in [require] instead");
  return package;
}

base::Result<std::string> parse_system_package(std::string_view text) {
  const std::string hint = "write the name of a Debian package, for example git";
  if (text.find('=') != std::string_view::npos)
    return invalid(fmt::format("\"{}\": the version of a Debian package is chosen when locking", text),
                   fmt::format("write \"{}\"", text.substr(0, text.find('='))));
  const auto allowed = [](char c) { return is_lower(c) || is_digit(c) || c == '+' || c == '-' || c == '.'; };
  const bool well_formed = text.size() >= 2 && text.size() <= k_text_max &&
                           (is_lower(text.front()) || is_digit(text.front())) &&
                           std::all_of(text.begin(), text.end(), allowed);
  if (!well_formed) return invalid(fmt::format("\"{}\" is not the name of a Debian package", text), hint);
  return std::string(text);
}

base::Result<std::string> parse_user_name(std::string_view text) {
  if (text == "root") return invalid("the user must not be root", "leave [user] out: images run as kiln, 1000");
  const auto allowed = [](char c) { return is_lower(c) || is_digit(c) || c == '_' || c == '-'; };
  const bool well_formed = !text.empty() && text.size() <= k_user_name_max &&
                           (is_lower(text.front()) || text.front() == '_') &&
                           std::all_of(text.begin(), text.end(), allowed);
  if (!well_formed)
    return invalid(
        fmt::format("\"{}\" is not a user name", text),
        fmt::format("up to {} lower-case letters, digits, \"_\" and \"-\", a letter first", k_user_name_max));
  return std::string(text);
}

}  // namespace torchkiln::spec
