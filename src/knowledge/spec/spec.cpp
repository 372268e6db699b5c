#include "knowledge/spec/spec.hpp"

#include "foundation/base/text.hpp"
#include "knowledge/spec/values.hpp"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

namespace torchkiln::spec {

namespace {

using base::ErrorCode;
using document::Table;

constexpr std::string_view k_schema = "torchkiln.spec/1";
constexpr std::size_t k_spec_bytes_max = 1U << 20;
constexpr std::size_t k_list_max = 1000;

void read_schema(Table& root) {
  const std::string hint = fmt::format("the first line must be schema = \"{}\"", k_schema);
  if (!root.has("schema")) root.missing("schema", {hint});
  const auto schema = root.text("schema");
  if (schema && schema->value != k_schema)
    root.reject(fmt::format("schema \"{}\" is not known to this torchkiln", schema->value), schema->place, {hint});
}

/// A list of at most k_list_max values.
template <class Parse>
auto read_list(Table& table, std::string_view key, Parse parse) {
  auto values = table.parsed_each(key, parse);
  if (values && values->size() > k_list_max)
    table.reject(fmt::format("\"{}\" has more than {} entries", key, k_list_max), values->back().place);
  return values;
}

void read_image(Table table, Image& image) {
  if (auto image_name = table.parsed("name", parse_image_name)) image.name = std::move(*image_name);
  if (const auto variants = read_list(table, "variants", parse_variant)) {
    image.variants.clear();
    for (const auto& variant : *variants) {
      if (std::find(image.variants.begin(), image.variants.end(), variant.value) != image.variants.end())
        table.reject(fmt::format("variant \"{}\" is listed twice", name(variant.value)), variant.place);
      image.variants.push_back(variant.value);
    }
    if (variants->empty())
      table.reject("\"variants\" is empty", table.texts("variants")->place,
                   {"leave it out for the runtime variant"});
  }
  if (const auto verifier = table.boolean("verifier")) image.verifier = verifier->value;
  if (const auto bytecode = table.boolean("bytecode")) image.bytecode = bytecode->value;
  table.finish();
}

/// What is written replaces what was there.
template <class Value>
void replace(std::optional<Value>& value, std::optional<Value> written) {
  if (written) value = std::move(written);
}

/// What is written comes behind what was there.
template <class Value>
void append(std::vector<Value>& values, std::optional<std::vector<Value>> written) {
  if (written) std::move(written->begin(), written->end(), std::back_inserter(values));
}

void read_requirements(Table table, Requirements& require) {
  replace(require.pytorch, table.parsed("pytorch", parse_pytorch));
  replace(require.python, table.parsed("python", parse_python));
  replace(require.cuda, table.parsed("cuda", parse_cuda));
  replace(require.cudnn, table.parsed("cudnn", parse_library));
  replace(require.nccl, table.parsed("nccl", parse_library));
  replace(require.os, table.parsed("os", parse_os));
  replace(require.driver, table.parsed("driver", parse_driver));
  append(require.gpus, read_list(table, "gpus", parse_gpu));
  replace(require.architecture, table.parsed("architecture", parse_architecture));
  replace(require.prefer, table.parsed("prefer", parse_prefer));
  replace(require.forward_compat, table.boolean("forward_compat"));
  table.finish();
}

void read_packages(Table table, Spec& spec) {
  if (auto packages = read_list(table, "python", parse_python_package)) {
    for (auto& package : *packages) {
      package.value.place = std::move(package.place);
      spec.python_packages.push_back(std::move(package.value));
    }
  }
  append(spec.system_packages, read_list(table, "system", parse_system_package));
  table.finish();
}

void read_id(Table& table, std::string_view key, std::uint32_t& id) {
  const auto value = table.integer(key);
  if (!value) return;
  if (value->value < k_user_id_min || value->value > k_user_id_max) {
    table.reject(fmt::format("{} {} is outside {} to {}", key, value->value, k_user_id_min, k_user_id_max),
                 value->place,
                 {value->value == 0 ? "images do not run as root" : "rootless containers cannot map it"});
    return;
  }
  id = static_cast<std::uint32_t>(value->value);
}

void read_user(Table table, User& user) {
  if (auto user_name = table.parsed("name", parse_user_name)) user.name = std::move(user_name->value);
  read_id(table, "uid", user.uid);
  if (table.has("uid") && !table.has("gid")) user.gid = user.uid;
  read_id(table, "gid", user.gid);
  table.finish();
}

/// A Python in an archive: all three of its keys, or none.
std::optional<PythonArchive> read_python_archive(Table table) {
  const auto version = table.parsed("version", parse_python_version);
  const auto url = table.parsed("url", parse_url);
  const auto digest = table.parsed("sha256", [](std::string_view text) { return base::Digest::parse(text); });
  for (const auto* key : {"version", "url", "sha256"})
    if (!table.has(key)) table.missing(key, {"a Python in an archive has version, url and sha256"});
  table.finish();
  if (!version || !url || !digest) return std::nullopt;
  return PythonArchive{*version, url->value, digest->value};
}

void read_base(Table table, Spec& spec) {
  if (spec.extends)
    table.reject("[base] is decided by the spec below", table.place(), {"say it there, in " + spec.extends->value});
  if (auto image = table.text("image")) {
    if (image->value.empty()) table.reject("\"image\" is empty", image->place);
    spec.base.image = std::move(image);
  }
  if (auto python = table.table("python")) spec.base.python = read_python_archive(*python);
  table.finish();
}

/// What only goes with something else.
void check_together(Table& root, const Spec& spec) {
  if (spec.base.image && !spec.require.os)
    root.reject("nothing says which system the base image has", spec.base.image->place,
                {"say it in [require]: os = \"ubuntu-24.04\""});
  if (spec.devel.cuda && spec.devel.cuda->value == ToolkitSource::base && !spec.base.image)
    root.reject("cuda = \"base\" takes the CUDA toolkit from the base image, and there is none",
                spec.devel.cuda->place, {"name it in [base], or take the toolkit from \"archives\" or \"wheels\""});
}

/// The value of an option, parsed; an error is the option's.
template <class Parse>
auto option(std::string_view option_name, const std::string& text, Parse parse)
    -> base::Result<Placed<typename decltype(parse(std::string_view()))::value_type>> {
  const base::Place place{std::string(option_name), 0, 0};
  auto value = parse(std::string_view(text));
  if (!value) {
    base::Error error = std::move(value).error();
    error.code = ErrorCode::usage;
    error.where = place;
    return base::fail(std::move(error));
  }
  return Placed<typename decltype(value)::value_type>{std::move(*value), place};
}

}  // namespace

base::Result<Spec> parse(std::string_view text, std::string file, Spec below) {
  if (text.size() > k_spec_bytes_max)
    return base::fail_at(ErrorCode::spec_invalid, {file, 0, 0},
                         fmt::format("the spec is larger than {}", base::format_bytes(k_spec_bytes_max)));
  TK_TRY(auto document, document::Document::parse(text, file, ErrorCode::spec_invalid));
  Table root = document.root();
  read_schema(root);
  const auto extends = root.text("extends");
  if (extends && extends->value.empty())
    root.reject("\"extends\" is empty", extends->place, {"name the spec that this one extends"});
  std::optional<base::Digest> meaning_below;
  if (extends) meaning_below = base::Digest::of(canonical_json(below));
  Spec spec = std::move(below);
  spec.below = meaning_below;
  spec.extends = extends;
  spec.file = std::move(file);
  if (auto table = root.table("image")) read_image(*table, spec.image);
  if (auto table = root.table("require")) read_requirements(*table, spec.require);
  if (auto table = root.table("packages")) read_packages(*table, spec);
  if (auto table = root.table("user")) read_user(*table, spec.user);
  if (auto table = root.table("devel")) {
    replace(spec.devel.cuda, table->parsed("cuda", parse_toolkit_source));
    table->finish();
  }
  if (auto table = root.table("base")) read_base(*table, spec);
  root.finish();
  check_together(root, spec);
  TK_CHECK(document.check());
  return spec;
}

base::Result<Spec> with_overrides(Spec spec, const Overrides& overrides) {
  Requirements& require = spec.require;
  if (overrides.pytorch) {
    TK_TRY(require.pytorch, option("--pytorch", *overrides.pytorch, parse_pytorch));
  }
  if (overrides.python) {
    TK_TRY(require.python, option("--python", *overrides.python, parse_python));
  }
  if (overrides.cuda) {
    TK_TRY(require.cuda, option("--cuda", *overrides.cuda, parse_cuda));
  }
  if (overrides.cudnn) {
    TK_TRY(require.cudnn, option("--cudnn", *overrides.cudnn, parse_library));
  }
  if (overrides.nccl) {
    TK_TRY(require.nccl, option("--nccl", *overrides.nccl, parse_library));
  }
  if (overrides.os) {
    TK_TRY(require.os, option("--os", *overrides.os, parse_os));
  }
  if (overrides.driver) {
    TK_TRY(require.driver, option(overrides.driver_source.value_or("--driver"), *overrides.driver, parse_driver));
  }
  if (overrides.architecture) {
    TK_TRY(require.architecture, option("--arch", *overrides.architecture, parse_architecture));
  }
  if (overrides.prefer) {
    TK_TRY(require.prefer, option("--prefer", *overrides.prefer, parse_prefer));
  }
  if (overrides.forward_compat) require.forward_compat = Placed<bool>{true, {"--forward-compat", 0, 0}};
  if (!overrides.gpus.empty()) require.gpus.clear();
  for (const auto& gpu : overrides.gpus) {
    TK_TRY(auto value, option(overrides.gpus_source.value_or("--gpu"), gpu, parse_gpu));
    require.gpus.push_back(std::move(value));
  }
  if (!overrides.variants.empty()) spec.image.variants.clear();
  for (const auto& variant : overrides.variants) {
    TK_TRY(const auto value, option("--variant", variant, parse_variant));
    auto& variants = spec.image.variants;
    if (std::find(variants.begin(), variants.end(), value.value) == variants.end()) variants.push_back(value.value);
  }
  return spec;
}

}  // namespace torchkiln::spec
