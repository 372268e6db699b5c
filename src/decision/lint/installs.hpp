#pragma once
// Commands that install packages, understood: apt-get, pip, uv, conda. Internal to the room.

#include "decision/lint/stages.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::lint {

/// A call of apt-get, apt or aptitude. Pointers are into the step.
struct AptCall {
  std::string_view program, action;  ///< "apt-get", "install"
  std::size_t offset = 0;
  std::vector<const Word*> operands;  ///< packages
  bool says_yes = false;
  bool leaves_recommends_out = false;
  const Word* unauthenticated = nullptr;  ///< the option that turns signatures off
};
std::vector<AptCall> apt_calls_of(const Step& step);

/// A call of pip install or uv pip install.
struct PipInstall {
  const Command* command = nullptr;
  bool is_uv = false;
  std::size_t offset = 0;
  std::vector<const Word*> requirements;  ///< "torch==2.8.0", "./x.whl", "git+https://…"
  std::vector<const Word*> indexes;       ///< values of --index-url, --extra-index-url, --find-links, --index
  bool replaces_index = false;            ///< --index-url: nothing comes from the default index
  bool has_files = false;                 ///< -r, -c, -e: requirements that are written elsewhere
  bool has_hashes = false;
  bool keeps_no_cache = false;
  const Word* trusted_host = nullptr;
};
std::vector<PipInstall> pip_installs_of(const Step& step);

/// The packages of conda, mamba or micromamba install.
struct CondaInstall {
  std::size_t offset = 0;
  std::vector<const Word*> packages;
};
std::vector<CondaInstall> conda_installs_of(const Step& step);

/// The name of a requirement without its version and extras, in PEP 503's normal form: "Torch[x]>=2" is "torch".
std::string package_of(std::string_view requirement);

}  // namespace torchkiln::lint
