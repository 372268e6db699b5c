#pragma once
// The stages of a Dockerfile: which image each begins with, what its steps run and set, with the values of
// variables where the file itself gives them.

#include "decision/lint/dockerfile.hpp"
#include "decision/lint/shell.hpp"
#include "decision/lint/variables.hpp"

#include <optional>
#include <string>
#include <vector>

namespace torchkiln::lint {

/// An instruction in its stage. Offsets are those of the instruction's text.
struct Step {
  const Instruction* instruction = nullptr;
  std::vector<Command> commands;        ///< of RUN, and of CMD, ENTRYPOINT and HEALTHCHECK in the shell form
  std::vector<Assignment> assignments;  ///< of ARG, ENV and LABEL
  std::vector<Word> words;              ///< of all others
  /// The script of "RUN <<EOF", whose offsets `commands` have then; null for every other instruction.
  const SourceText* script = nullptr;
  bool fails_in_pipes = false;  ///< the stage's shell has pipefail on
  bool is_posix_shell = true;   ///< not PowerShell or cmd

  bool is(std::string_view keyword) const { return instruction->keyword == keyword; }
  Position position(std::size_t offset) const;
};

struct Stage {
  std::size_t number = 0;
  std::string name;                   ///< of AS; empty without one
  Word base;                          ///< "nvidia/cuda:12.1.1-devel-ubuntu22.04"; its offset is in FROM's text
  std::optional<std::size_t> parent;  ///< the stage that `base` names
  const Instruction* from = nullptr;
  std::vector<Step> steps;  ///< behind FROM
  Variables environment;    ///< ENV at the end, the parent's included
  Variables arguments;      ///< ARG with known values at the end

  Position base_position() const { return from->text.position(base.offset); }
};

struct Stages {
  std::vector<Stage> all;
  std::vector<Step> before;  ///< ARG before the first FROM; anything else there is a mistake

  /// The stage that the image is made of; none in a file without FROM.
  const Stage* final() const { return all.empty() ? nullptr : &all.back(); }
  /// The stage and those that it begins with, itself first.
  std::vector<const Stage*> line_of(const Stage& stage) const;
  /// The image that the stage begins with, through every stage between; unknown for an image that a variable names.
  const Word& root_image(const Stage& stage) const;
};

Stages stages_of(const Dockerfile& file);

/// Whether a base is "scratch", which is no image.
bool is_scratch(std::string_view image);

}  // namespace torchkiln::lint
