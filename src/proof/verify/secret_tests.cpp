#include "proof/verify/secret_tests.hpp"

#include "foundation/sys/files.hpp"

#include <algorithm>
#include <cctype>
#include <iterator>

namespace torchkiln::verify {

using base::Result;
namespace fs = std::filesystem;

namespace {

/// Parts of the names of variables that hold secrets.
constexpr std::string_view k_secret_variables[] = {"TOKEN", "PASSWORD", "SECRET", "AUTHORIZED_KEYS", "API_KEY"};

/// Tokens that say what they are by how they begin (GitHub's, Hugging Face's and AWS's documentation of their
/// formats).
struct TokenForm {
  std::string_view begin;
  std::size_t length;  ///< of what follows: letters, digits and underscores
  std::string_view what;
};
constexpr TokenForm k_tokens[] = {
    {"ghp_", 36, "a token of GitHub's"},    {"gho_", 36, "a token of GitHub's"},
    {"ghs_", 36, "a token of GitHub's"},    {"github_pat_", 36, "a token of GitHub's"},
    {"hf_", 34, "a token of Hugging Face"}, {"AKIA", 16, "an access key of AWS"},
    {"glpat-", 20, "a token of GitLab's"},
};

/// Names of files that hold secrets wherever they are.
constexpr std::string_view k_secret_names[] = {".netrc",   ".pypirc", ".git-credentials", "id_rsa", "id_ed25519",
                                               "id_ecdsa", ".env"};

/// Folders of the user's that stay empty until somebody uses the image.
constexpr std::string_view k_empty_folders[] = {"/.ssh/", "/.local/share/kiln/", "/.jupyter/", "/.docker/",
                                                "/.aws/", "/.cache/huggingface/"};

/// A longer file is no configuration; and packages test with keys and tokens that open nothing.
constexpr std::uint64_t k_text_limit_bytes = 256U << 10;
constexpr std::string_view k_not_looked_into[] = {"usr/share/doc/", "usr/share/man/", "/site-packages/",
                                                  "/dist-packages/"};

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

/// Why a file's place is one of a secret; empty when it is not.
std::string_view secret_place(std::string_view path) {
  const auto name = path.substr(path.rfind('/') + 1);
  if (path.starts_with("etc/ssh/ssh_host_")) return "is a host key";
  if (path.starts_with("root/.ssh/")) return "lets somebody in as root";
  if (path.starts_with("run/secrets/")) return "is a secret of a build";
  if (path.starts_with("home/"))
    for (const auto folder : k_empty_folders)
      if (has(path, folder)) return "is in a folder for the user's own secrets";
  if (has(path, "/.git/")) return "is part of a repository's history";
  if (!has(path, "site-packages/") &&
      std::find(std::begin(k_secret_names), std::end(k_secret_names), name) != std::end(k_secret_names))
    return "is a file for secrets";
  return {};
}

Result<void> look_through(const fs::path& layer, std::vector<std::string>& faults) {
  std::error_code error;
  auto walk = fs::recursive_directory_iterator(layer, fs::directory_options::skip_permission_denied, error);
  for (; !error && walk != fs::recursive_directory_iterator(); walk.increment(error)) {
    if (!walk->is_regular_file(error) || walk->is_symlink(error)) continue;
    const auto path = walk->path().string().substr(layer.string().size() + 1);
    if (const auto why = secret_place(path); !why.empty()) {
      faults.push_back("/" + path + " " + std::string(why));
      continue;
    }
    const bool skipped = std::any_of(std::begin(k_not_looked_into), std::end(k_not_looked_into),
                                     [&](std::string_view part) { return has(path, part); });
    if (skipped || walk->file_size(error) > k_text_limit_bytes) continue;
    // An ordinary user may not read some files of root's, /etc/shadow among them.
    const auto text = sys::read_file(walk->path());
    if (!text) continue;
    if (const auto what = secret_in(*text); !what.empty()) faults.push_back("/" + path + " has " + what + " in it");
  }
  if (error) return base::fail(sys::file_error("list", layer, error.value()));
  return {};
}

}  // namespace

std::string secret_in(std::string_view text) {
  // PEM, RFC 7468: "-----BEGIN RSA PRIVATE KEY-----" and its kin, with something after it.
  if (const auto at = text.find("PRIVATE KEY-----\n"); at != std::string_view::npos) {
    const auto line = text.rfind('\n', at);
    const auto begin = line == std::string_view::npos ? 0 : line + 1;
    if (text.substr(begin).starts_with("-----BEGIN ")) return "a private key";
  }
  for (const auto& form : k_tokens) {
    for (auto at = text.find(form.begin); at != std::string_view::npos; at = text.find(form.begin, at + 1)) {
      if (at > 0 && is_word(text[at - 1])) continue;
      const auto rest = text.substr(at + form.begin.size());
      const auto length =
          static_cast<std::size_t>(std::find_if_not(rest.begin(), rest.end(), is_word) - rest.begin());
      if (length >= form.length) return std::string(form.what);
    }
  }
  return {};
}

Result<std::vector<std::string>> secret_faults(const oci::ImageConfig& config, const std::vector<fs::path>& lower) {
  std::vector<std::string> faults;
  for (const auto& line : config.execution.environment) {
    const auto name = line.substr(0, line.find('='));
    for (const auto word : k_secret_variables)
      if (has(name, word)) faults.push_back("the environment has " + name);
    if (const auto what = secret_in(line); !what.empty())
      faults.push_back("the environment's " + name + " is " + what);
  }
  for (const auto& entry : config.history)
    if (const auto what = secret_in(entry.created_by); !what.empty())
      faults.push_back("the image's history has " + what + " in it");
  for (const auto& layer : lower) TK_CHECK(look_through(layer, faults));
  return faults;
}

}  // namespace torchkiln::verify
