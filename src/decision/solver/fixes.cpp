#include "decision/solver/fixes.hpp"

#include "decision/solver/changes.hpp"
#include "decision/solver/explain.hpp"
#include "decision/solver/resolution.hpp"
#include "decision/solver/rules.hpp"
#include "decision/solver/words.hpp"
#include "foundation/base/text.hpp"

#include <algorithm>
#include <deque>
#include <set>
#include <tuple>

#include <fmt/format.h>

namespace torchkiln::solver {

namespace {

/// Sets of wishes that are looked at before giving up on more fixes.
constexpr std::size_t k_relaxations_max = 64;

/// A second change counts as many steps as this beside its own.
constexpr std::size_t k_steps_of_another_change = 10;

/// Something more in the image counts as a second change.
constexpr std::size_t k_steps_to_compat_package = k_steps_of_another_change;

using Wishes = std::vector<Meaning>;

/// The best answer of a request, or nothing.
std::optional<Resolution> answer(const Request& request, const Catalogue& catalogue) {
  const Model model = make_model(request, catalogue);
  const auto assignment = best(model.problem, model.all());
  if (!assignment) return std::nullopt;
  return make_resolution(model, *assignment);
}

/// How good a build the best answer has (see tier()); nothing when there is no answer.
std::optional<int> answer_tier(const Request& request, const Catalogue& catalogue) {
  const Model model = make_model(request, catalogue);
  const auto assignment = best(model.problem, model.all());
  if (!assignment) return std::nullopt;
  return tier(model.build_of(*assignment));
}

/// The smallest sets of wishes without which there is an answer. Each set meets every core, so they grow from the
/// wishes of one core at a time (Reiter's hitting-set tree).
std::vector<Wishes> relaxations(const Request& request, const Catalogue& catalogue) {
  const auto key = [](const Meaning& wish) { return std::tuple(wish.topic, wish.item); };
  const auto before = [&](const Meaning& a, const Meaning& b) { return key(a) < key(b); };
  std::vector<Wishes> found;
  std::deque<Wishes> open{{}};
  std::vector<Wishes> seen;
  const Model model = make_model(request, catalogue);
  for (std::size_t looked = 0; !open.empty() && (looked < k_relaxations_max || found.empty()); ++looked) {
    const Wishes wishes = open.front();
    open.pop_front();
    if (std::any_of(found.begin(), found.end(), [&](const Wishes& smaller) {
          return std::includes(wishes.begin(), wishes.end(), smaller.begin(), smaller.end(), before);
        }))
      continue;
    Active active = model.all();
    std::erase_if(active, [&](std::size_t index) {
      return std::find(wishes.begin(), wishes.end(), model.meanings[index]) != wishes.end();
    });
    if (best(model.problem, active)) {
      found.push_back(wishes);
      continue;
    }
    for (const std::size_t index : minimal_core(model.problem, active)) {
      if (!is_wish(model.meanings[index].topic)) continue;
      Wishes more = wishes;
      more.push_back(model.meanings[index]);
      std::sort(more.begin(), more.end(), before);
      if (std::find(seen.begin(), seen.end(), more) != seen.end()) continue;
      seen.push_back(more);
      open.push_back(std::move(more));
    }
  }
  return found;
}

/// The nearest values for the wishes of a relaxation, one after the other while the later ones are still open.
std::optional<std::vector<Change>> nearest_changes(const Request& request, const Catalogue& catalogue,
                                                   const Wishes& wishes) {
  std::vector<Change> chosen;
  Request so_far = request;
  for (std::size_t i = 0; i < wishes.size(); ++i) {
    const Wishes still_open(wishes.begin() + static_cast<std::ptrdiff_t>(i) + 1, wishes.end());
    std::optional<Change> nearest;
    int nearest_tier = 0;
    for (const auto& change : changes_for(request, *catalogue.matrix, wishes[i])) {
      // Taking GPUs and packages away comes last, so that the numbers of the others stay what they were.
      Wishes away = still_open;
      if (change.value.empty()) away.push_back(change.wish);
      for (const auto& earlier : chosen)
        if (earlier.value.empty()) away.push_back(earlier.wish);
      const Request changed = without(change.value.empty() ? so_far : with(so_far, change), away);
      // A list of GPUs that becomes empty cannot be said on the command line.
      const bool last_gpu = change.value.empty() && change.wish.topic == Topic::gpu && changed.require.gpus.empty();
      const auto found_tier = last_gpu ? std::nullopt : answer_tier(changed, catalogue);
      if (!found_tier || (nearest && *found_tier >= nearest_tier)) continue;
      nearest = change;
      nearest_tier = *found_tier;
      if (nearest_tier == 0) break;
    }
    if (!nearest) return std::nullopt;
    if (!nearest->value.empty()) so_far = with(so_far, *nearest);
    chosen.push_back(std::move(*nearest));
  }
  return chosen;
}

Request with_all(const Request& request, const std::vector<Change>& changes) {
  Request changed = request;
  Wishes away;
  for (const auto& change : changes) {
    if (change.value.empty())
      away.push_back(change.wish);
    else
      changed = with(changed, change);
  }
  return without(changed, away);
}

std::string text_of(const Request& request, const Catalogue& catalogue, const Change& change) {
  const spec::Requirements& require = request.require;
  const auto instead = [&](std::string_view what, const auto& wish) {
    return fmt::format("{} {} instead of {}", what, change.value, wish->value.text());
  };
  switch (change.wish.topic) {
    case Topic::pytorch:
      return instead("PyTorch", require.pytorch);
    case Topic::cuda:
      return instead("CUDA", require.cuda);
    case Topic::cudnn:
      return instead("cuDNN", require.cudnn);
    case Topic::nccl:
      return instead("NCCL", require.nccl);
    case Topic::python:
      return instead("Python", require.python);
    case Topic::os:
      return fmt::format("{} instead of {}", change.value, require.os->value);
    case Topic::driver:
      return fmt::format(
          "driver {} {} instead of {}", change.value,
          version::DriverVersion::parse(change.value).value() > require.driver->value ? "or newer" : "or older",
          require.driver->value.to_string());
    case Topic::gpu: {
      const std::string& wish = require.gpus[change.wish.item].value;
      if (change.value.empty()) return "without GPU " + wish;
      const auto gpu = find_gpu(*catalogue.matrix, change.value);
      return fmt::format("a GPU of compute capability {} instead of {}", gpu->compute.to_string(), wish);
    }
    default: {
      const spec::PythonPackage* package = make_model(request, catalogue).packages[change.wish.item];
      return fmt::format("\"{}\" taken out of [packages]", package->text);
    }
  }
}

/// What the changed request says differently from the request, as options.
spec::Overrides overrides_of(const Request& changed, const std::vector<Change>& changes) {
  spec::Overrides overrides;
  for (const auto& change : changes) {
    switch (change.wish.topic) {
      case Topic::pytorch:
        overrides.pytorch = change.value;
        break;
      case Topic::cuda:
        overrides.cuda = change.value;
        break;
      case Topic::cudnn:
        overrides.cudnn = change.value;
        break;
      case Topic::nccl:
        overrides.nccl = change.value;
        break;
      case Topic::python:
        overrides.python = change.value;
        break;
      case Topic::os:
        overrides.os = change.value;
        break;
      case Topic::driver:
        overrides.driver = change.value;
        break;
      case Topic::gpu:
        overrides.gpus.clear();
        for (const auto& gpu : changed.require.gpus) overrides.gpus.push_back(gpu.value);
        break;
      default:
        break;
    }
  }
  return overrides;
}

std::string quoted(const std::string& word) {
  const bool plain = !word.empty() && word.find_first_not_of(
                                          "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                          "0123456789_-+./:=,@%") == std::string::npos;
  return plain ? word : "'" + base::replace_all(word, "'", "'\\''") + "'";
}

std::optional<Fix> fix_of(const Request& request, const Catalogue& catalogue, std::vector<Change> changes) {
  auto resolution = answer(with_all(request, changes), catalogue);
  if (!resolution) return std::nullopt;
  for (auto& change : changes)
    if (change.wish.topic == Topic::pytorch) change.value = resolution->pytorch.to_string();
  const Request changed = with_all(request, changes);
  resolution = answer(changed, catalogue);
  if (!resolution) return std::nullopt;
  Fix fix;
  std::vector<std::string> texts;
  for (const auto& change : changes) texts.push_back(text_of(request, catalogue, change));
  fix.text = base::join(texts, ", ");
  fix.overrides = overrides_of(changed, changes);
  fix.command = command_of(request, fix.overrides);
  fix.resolution = std::move(*resolution);
  return fix;
}

/// A cuda-compat package, where nobody forbade one in so many words and it is all that is missing.
std::optional<Fix> compat_fix(const Request& request, const Catalogue& catalogue) {
  if (request.forward_compat == ForwardCompat::allowed || request.require.forward_compat || !request.require.driver)
    return std::nullopt;
  Request changed = request;
  changed.forward_compat = ForwardCompat::allowed;
  auto resolution = answer(changed, catalogue);
  // Without a GPU it is not known whether a compat package may be used at all.
  if (!resolution || resolution->gpus.empty()) return std::nullopt;
  const auto* package = compat_package(*catalogue.matrix, resolution->cuda, request.require.driver->value);
  TK_ASSERT(package, "only a compat package made the difference");
  Fix fix;
  fix.text = fmt::format("cuda-compat-{}-{} put into the image", package->cuda.major, package->cuda.minor);
  fix.overrides.forward_compat = true;
  fix.command = command_of(request, fix.overrides);
  fix.resolution = std::move(*resolution);
  return fix;
}

}  // namespace

std::string command_of(const Request& request, const spec::Overrides& overrides, std::string command) {
  if (!request.spec_file.empty()) command += " " + quoted(request.spec_file);
  const auto put = [&](std::string_view option, const std::string& value) {
    command += fmt::format(" {} {}", option, quoted(value));
  };
  // What the spec says need not be said again; options and host facts must.
  const auto is_said = [&](const base::Place& place) {
    return !request.spec_file.empty() && place.file == request.spec_file;
  };
  const auto option = [&](std::string_view option_name, const std::optional<std::string>& override,
                          const auto& wish, const auto& text) {
    if (override)
      put(option_name, *override);
    else if (wish && !is_said(wish->place))
      put(option_name, text(*wish));
  };
  const auto set_text = [](const auto& wish) { return wish.value.text(); };
  const spec::Requirements& require = request.require;
  option("--pytorch", overrides.pytorch, require.pytorch, set_text);
  option("--python", overrides.python, require.python, set_text);
  option("--cuda", overrides.cuda, require.cuda, set_text);
  option("--cudnn", overrides.cudnn, require.cudnn, set_text);
  option("--nccl", overrides.nccl, require.nccl, set_text);
  option("--os", overrides.os, require.os, [](const auto& wish) { return wish.value; });
  option("--driver", overrides.driver, require.driver, [](const auto& wish) { return wish.value.to_string(); });
  option("--arch", overrides.architecture, require.architecture, [](const auto& wish) { return wish.value; });
  option("--prefer", overrides.prefer, require.prefer,
         [](const auto& wish) { return std::string(name(wish.value)); });
  const auto& compat = require.forward_compat;
  if (overrides.forward_compat || (compat && compat->value && !is_said(compat->place)))
    command += " --forward-compat";
  if (!overrides.gpus.empty()) {
    for (const auto& gpu : overrides.gpus) put("--gpu", gpu);
  } else {
    for (const auto& gpu : require.gpus)
      if (!is_said(gpu.place)) put("--gpu", gpu.value);
  }
  return command;
}

std::vector<Fix> fixes_of(const Request& request, const Catalogue& catalogue) {
  struct Ranked {
    std::size_t steps;
    Fix fix;
  };
  std::vector<Ranked> ranked;
  for (const auto& wishes : relaxations(request, catalogue)) {
    auto changes = nearest_changes(request, catalogue, wishes);
    if (!changes) continue;
    std::size_t steps = (changes->size() - 1) * k_steps_of_another_change;
    for (const auto& change : *changes) steps += change.steps;
    if (auto fix = fix_of(request, catalogue, std::move(*changes))) ranked.push_back({steps, std::move(*fix)});
  }
  if (auto fix = compat_fix(request, catalogue)) ranked.push_back({k_steps_to_compat_package, std::move(*fix)});
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const Ranked& a, const Ranked& b) { return a.steps < b.steps; });
  std::vector<Fix> fixes;
  for (auto& entry : ranked)
    if (fixes.size() < k_fixes_max) fixes.push_back(std::move(entry.fix));
  return fixes;
}

}  // namespace torchkiln::solver
