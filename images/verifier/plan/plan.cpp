#include "plan/plan.hpp"

#include <cmath>
#include <limits>
#include <utility>

namespace torchkiln::verifier {
namespace {

constexpr auto k_at_most = Compare::at_most;
constexpr auto k_at_least = Compare::at_least;
constexpr auto k_equals = Compare::equals;

// Machine epsilons, as torch.finfo gives them. TF32 keeps 10 bits of mantissa, like float16.
constexpr double k_fp64 = std::numeric_limits<double>::epsilon();
constexpr double k_fp32 = std::numeric_limits<float>::epsilon();
constexpr double k_fp16 = 0x1p-10;
constexpr double k_tf32 = 0x1p-10;
constexpr double k_bf16 = 0x1p-7;

/// Rounding errors of a sum of `length` products add up like a random walk, so the relative Frobenius error of a
/// sound implementation stays below epsilon times the root of the length (measured: a tenth of it, torch 2.8 on a
/// CPU).
double accumulated(double epsilon, double length) {
  return epsilon * std::sqrt(length);
}

/// The longest sums in the cases of numerics.cpp.
constexpr double k_matmul_length = 384;
constexpr double k_conv2d_length = 512;
constexpr double k_recurrent_length = 12 * (24 + 32);
constexpr double k_attention_length = 40 * 32;
constexpr double k_data_parallel_length = 64 * 64;

/// By how many nats the CNN's held-out loss must beat its control, which cannot beat ln(8) = 2.08 except by luck.
constexpr double k_training_margin = 1.0;

/// The share of its control's loss by which a model's own must be lower (measured over seeds: docs/verifier.md).
struct ModelLimit {
  const char* name;
  double share;
};
constexpr ModelLimit k_models[] = {{"resnet", 0.5}, {"dcgan", 0.5}, {"diffusion", 0.3}, {"conditional", 0.5}};

constexpr double k_short_s = 20;
constexpr double k_long_s = 60;
constexpr double k_compile_s = 300;

/// Fused kernels round in other places: some units of float32.
constexpr double k_compiled = 64 * k_fp32;

const char* const k_error = "relative Frobenius error against a float64 reference";
const char* const k_scaler = "rules that a gradient scaler with an injected infinity breaks";
const char* const k_deterministic = "values that differ between runs under deterministic algorithms";
const char* const k_learns = "share by which the held-out loss is below that of its control";
const char* const k_repeats = "steps whose loss differs in any bit when the training is run again";
const char* const k_distributed = "values and gradients that are wrong after collectives of all processes";
const char* const k_soak = "values that differ from the first run while the devices are kept busy";

void add_boot_tests(std::vector<Test>& tests) {
  const auto add = [&](std::string id, Program program, std::string measures, Compare compare, Value limit,
                       std::string unit) {
    tests.push_back({std::move(id),
                     Level::boot,
                     program,
                     std::move(measures),
                     compare,
                     std::move(limit),
                     std::move(unit),
                     k_short_s,
                     {}});
  };
  add("boot.user", Program::boot, "user id of the process: never root", k_at_least, 1.0, "uid");
  add("boot.privileges", Program::boot, "Linux capabilities in effect", k_at_most, 0.0, "capabilities");
  add("boot.init", Program::boot, "name of process 1", k_equals, "tini", "");
  add("boot.reaping", Program::boot, "ended orphans that process 1 leaves as zombies", k_at_most, 0.0, "processes");
  add("boot.writable", Program::boot, "folders among HOME, TMPDIR and /tmp that take a file", k_at_least, 1.0,
      "folders");
  add("boot.driver", Program::boot, "contradictions between GPU devices, driver and libcuda", k_at_most, 0.0,
      "contradictions");
  add("boot.libraries", Program::libtorch, "mapped torch and CUDA libraries from elsewhere or in two copies",
      k_at_most, 0.0, "libraries");
}

void add_cpu_tests(std::vector<Test>& tests) {
  const auto add = [&](std::string id, Program program, std::string measures, Compare compare, double limit,
                       std::string unit, double timeout_s, std::vector<std::string> needs = {}) {
    tests.push_back({std::move(id), Level::cpu, program, std::move(measures), compare, limit, std::move(unit),
                     timeout_s, std::move(needs)});
  };
  constexpr auto torch = Program::libtorch;
  constexpr auto python = Program::python;
  add("cpu.versions", torch, "versions that differ between headers, libraries and torch's own record", k_at_most, 0,
      "versions", k_short_s);
  add("cpu.errors", torch, "kinds of torch error that reach the caller as exceptions, of 3", k_at_least, 3, "kinds",
      k_short_s);
  add("cpu.elementwise.fp32", torch, k_error, k_at_most, 8 * k_fp32, "", k_short_s);
  add("cpu.matmul.fp64", torch, k_error, k_at_most, accumulated(k_fp64, k_matmul_length), "", k_short_s);
  add("cpu.matmul.fp32", torch, k_error, k_at_most, accumulated(k_fp32, k_matmul_length), "", k_short_s);
  add("cpu.matmul.bf16", torch, k_error, k_at_most, k_bf16, "", k_short_s);
  add("cpu.conv2d.fp32", torch, k_error, k_at_most, accumulated(k_fp32, k_conv2d_length), "", k_short_s);
  add("cpu.linear_algebra.fp64", torch, "largest relative residual of solve, Cholesky, SVD and eigh", k_at_most,
      64 * k_fp64, "", k_short_s);
  add("cpu.fft.fp64", torch, k_error, k_at_most, 64 * k_fp64, "", k_short_s);
  add("cpu.random", torch, "largest deviation of mean and variance of 2^18 samples", k_at_most, 6,
      "standard errors", k_short_s);
  add("cpu.conv2d.bf16", torch, k_error, k_at_most, k_bf16, "", k_short_s);
  add("cpu.conv2d.deterministic", torch, k_error, k_at_most, accumulated(k_fp32, k_conv2d_length), "", k_short_s);
  add("cpu.recurrent.fp32", torch, k_error, k_at_most, accumulated(k_fp32, k_recurrent_length), "", k_short_s);
  add("cpu.attention.fp32", torch, k_error, k_at_most, accumulated(k_fp32, k_attention_length), "", k_short_s);
  add("cpu.attention.bf16", torch, k_error, k_at_most, 2 * k_bf16, "", k_short_s);
  add("cpu.autocast.bf16", torch, k_error, k_at_most, 4 * k_bf16, "", k_short_s);
  add("cpu.gradient_scaler", torch, k_scaler, k_at_most, 0, "rules", k_short_s);
  add("cpu.deterministic", torch, k_deterministic, k_at_most, 0, "values", k_short_s);
  add("cpu.nvrtc", torch, "kernels that CUDA's run-time compiler makes no machine code of, of 2", k_at_most, 0,
      "kernels", k_short_s);
  add("cpu.autograd", torch, "largest relative difference of a gradient from central differences", k_at_most, 1e-6,
      "", k_short_s);
  add("cpu.training.learns", torch, "held-out loss below that of chance and of shuffled labels", k_at_least,
      k_training_margin, "nats", k_long_s);
  add("cpu.training.gradients", torch, "gradient values that are not finite, parameters that never moved",
      k_at_most, 0, "values", k_long_s);
  add("cpu.training.repeats", torch, "steps whose loss differs in any bit when the training is run again",
      k_at_most, 0, "steps", k_long_s);
  add("cpu.checkpoint", torch, "bytes and steps that differ after saving, loading and training on", k_at_most, 0,
      "differences", k_long_s);
  for (const auto& [name, share] : k_models) {
    add("cpu." + std::string(name) + ".learns", torch, k_learns, k_at_least, share, "of the control's", k_long_s);
    add("cpu." + std::string(name) + ".repeats", torch, k_repeats, k_at_most, 0, "steps", k_long_s);
  }
  add("cpu.python.import", python, "modules of torch from outside the image's site-packages", k_at_most, 0,
      "modules", k_long_s);
  add("cpu.python.versions", python, "versions that differ between Python, wheel metadata and libraries", k_at_most,
      0, "versions", k_short_s, {"cpu.python.import"});
  add("cpu.python.autograd", python, "largest relative difference of a gradient from central differences",
      k_at_most, 1e-6, "", k_short_s, {"cpu.python.import"});
  add("cpu.python.training", python, "held-out loss below that of chance and of shuffled labels", k_at_least,
      k_training_margin, "nats", k_long_s, {"cpu.python.import"});
  add("cpu.python.loader", python, "values that differ after worker processes loaded them", k_at_most, 0, "values",
      k_long_s, {"cpu.python.import"});
  add("cpu.python.compile", python, "largest error of a compiled network against the same one uncompiled",
      k_at_most, k_compiled, "", k_compile_s, {"cpu.python.import"});
  add("cpu.python.distributed", python, k_distributed, k_at_most, 0, "values", k_compile_s, {"cpu.python.import"});
}

void add_gpu_device_tests(std::vector<Test>& tests) {
  const auto add = [&](std::string id, std::string measures, Compare compare, double limit, std::string unit,
                       std::vector<std::string> needs = {"gpu.device"}) {
    tests.push_back({std::move(id), Level::gpu, Program::libtorch, std::move(measures), compare, limit,
                     std::move(unit), k_long_s, std::move(needs)});
  };
  add("gpu.device", "GPUs that torch can use", k_at_least, 1, "GPUs", {});
  add("gpu.driver", "major CUDA version of the driver above that of the runtime", k_at_least, 0, "major versions");
  add("gpu.kernels", "GPUs that cannot run this torch's kernels", k_at_most, 0, "GPUs");
  add("gpu.memory", "bytes that do not read back as written", k_at_most, 0, "bytes");
  add("gpu.copies", "bytes that differ after pinned copies there and back on two streams", k_at_most, 0, "bytes");
  add("gpu.streams", "values that are wrong when streams wait for one another's events", k_at_most, 0, "values");
  add("gpu.nvrtc", "values that a kernel compiled at run time gets wrong", k_at_most, 0, "values");
  add("gpu.nccl", "values that are wrong after collectives over one GPU", k_at_most, 0, "values");
}

void add_gpu_numeric_tests(std::vector<Test>& tests) {
  const auto add = [&](std::string id, std::string measures, double limit, std::string unit = "") {
    tests.push_back({std::move(id),
                     Level::gpu,
                     Program::libtorch,
                     std::move(measures),
                     k_at_most,
                     limit,
                     std::move(unit),
                     k_long_s,
                     {"gpu.device"}});
  };
  add("gpu.elementwise.fp32", k_error, 8 * k_fp32);
  add("gpu.matmul.fp64", k_error, accumulated(k_fp64, k_matmul_length));
  add("gpu.matmul.fp32", k_error, accumulated(k_fp32, k_matmul_length));
  add("gpu.matmul.tf32", k_error, k_tf32);
  add("gpu.matmul.fp16", k_error, k_fp16);
  add("gpu.matmul.bf16", k_error, k_bf16);
  add("gpu.conv2d.fp32", k_error, accumulated(k_fp32, k_conv2d_length));
  add("gpu.conv2d.tf32", k_error, k_tf32);
  add("gpu.conv2d.fp16", k_error, k_fp16);
  add("gpu.conv2d.bf16", k_error, k_bf16);
  add("gpu.conv2d.benchmark", k_error, accumulated(k_fp32, k_conv2d_length));
  add("gpu.conv2d.deterministic", k_error, accumulated(k_fp32, k_conv2d_length));
  add("gpu.recurrent.fp32", k_error, accumulated(k_fp32, k_recurrent_length));
  add("gpu.attention.fp32", k_error, accumulated(k_fp32, k_attention_length));
  add("gpu.attention.fp16", k_error, 2 * k_fp16);
  add("gpu.attention.bf16", k_error, 2 * k_bf16);
  add("gpu.linear_algebra.fp64", "largest relative residual of solve, Cholesky, SVD and eigh", 64 * k_fp64);
  add("gpu.fft.fp64", k_error, 64 * k_fp64);
  add("gpu.random", "largest deviation of mean and variance of 2^18 samples", 6, "standard errors");
  add("gpu.autocast.fp16", k_error, 4 * k_fp16);
  add("gpu.autocast.bf16", k_error, 4 * k_bf16);
  add("gpu.gradient_scaler", k_scaler, 0, "rules");
  add("gpu.deterministic", k_deterministic, 0, "values");
}

void add_gpu_training_tests(std::vector<Test>& tests) {
  const auto add = [&](std::string id, std::string measures, Compare compare, double limit, std::string unit) {
    tests.push_back({std::move(id),
                     Level::gpu,
                     Program::libtorch,
                     std::move(measures),
                     compare,
                     limit,
                     std::move(unit),
                     k_long_s,
                     {"gpu.device"}});
  };
  add("gpu.training.device", "tensors of a training run that are not on the GPU", k_at_most, 0, "tensors");
  add("gpu.training.learns", "held-out loss below that of chance and of shuffled labels", k_at_least,
      k_training_margin, "nats");
  add("gpu.training.gradients", "gradient values that are not finite, parameters that never moved", k_at_most, 0,
      "values");
  add("gpu.training.repeats", k_repeats, k_at_most, 0, "steps");
  add("gpu.training.follows_cpu", "largest difference of the first 5 losses from those on the CPU", k_at_most, 1e-3,
      "nats");
  add("gpu.checkpoint", "bytes and steps that differ after saving, loading and training on", k_at_most, 0,
      "differences");
  for (const auto& [name, share] : k_models) {
    const auto id = "gpu." + std::string(name);
    add(id + ".learns", k_learns, k_at_least, share, "of the control's");
    add(id + ".repeats", k_repeats, k_at_most, 0, "steps");
    add(id + ".follows_cpu", "largest difference of the first 5 losses from those on the CPU", k_at_most, 5e-3, "");
  }
  // What is recorded; only a GPU that does not compute is below these limits.
  add("gpu.speed.matmul.fp32", "products of large matrices", k_at_least, 0.01, "TFLOP/s");
  add("gpu.speed.matmul.tf32", "products of large matrices", k_at_least, 0.01, "TFLOP/s");
  add("gpu.speed.matmul.fp16", "products of large matrices", k_at_least, 0.01, "TFLOP/s");
  add("gpu.speed.copy.device", "copies inside the GPU's memory", k_at_least, 1, "GB/s");
  add("gpu.speed.copy.host", "copies from pinned memory of the host", k_at_least, 0.1, "GB/s");
  add("gpu.speed.training", "training of a stack of convolutions in float32", k_at_least, 1, "images/s");
  add("gpu.speed.amp", "the same in mixed precision, over that in float32", k_at_least, 0.1, "times");
}

void add_gpu_python_tests(std::vector<Test>& tests) {
  const auto add = [&](std::string id, std::string measures, double limit, std::string unit,
                       double timeout_s = k_long_s) {
    tests.push_back({std::move(id),
                     Level::gpu,
                     Program::python,
                     std::move(measures),
                     k_at_most,
                     limit,
                     std::move(unit),
                     timeout_s,
                     {"gpu.device", "cpu.python.import"}});
  };
  add("gpu.python.graph", "values that differ between a captured and replayed training and an eager one", 0,
      "values");
  add("gpu.python.loader", "values that differ after worker processes loaded and pinned them", 0, "values");
  add("gpu.python.compile", "largest error of a compiled network against the same one uncompiled", k_compiled, "",
      k_compile_s);
  add("gpu.python.distributed", k_distributed, 0, "values");
}

void add_multi_gpu_tests(std::vector<Test>& tests) {
  const auto add = [&](std::string id, std::string measures, Compare compare, double limit, std::string unit,
                       std::vector<std::string> needs = {"multi-gpu.devices"}) {
    tests.push_back({std::move(id), Level::multi_gpu, Program::libtorch, std::move(measures), compare, limit,
                     std::move(unit), k_long_s, std::move(needs)});
  };
  add("multi-gpu.devices", "GPUs that torch can use", k_at_least, 2, "GPUs", {"gpu.device"});
  add("multi-gpu.copies", "bytes that differ after a copy between two GPUs, every ordered pair", k_at_most, 0,
      "bytes");
  add("multi-gpu.all_reduce", "values that are not the sum over all GPUs", k_at_most, 0, "values");
  add("multi-gpu.broadcast", "values that are not those of the last GPU", k_at_most, 0, "values");
  add("multi-gpu.reduce_scatter", "values that are not those of the GPU's part of the sum", k_at_most, 0, "values");
  add("multi-gpu.all_gather", "values that are not those of all GPUs", k_at_most, 0, "values");
  add("multi-gpu.data_parallel", "error of gradients that all GPUs added up in one process", k_at_most,
      accumulated(k_fp32, k_data_parallel_length), "");
  tests.push_back({"multi-gpu.python.distributed",
                   Level::multi_gpu,
                   Program::python,
                   k_distributed,
                   k_at_most,
                   0.0,
                   "values",
                   k_compile_s,
                   {"multi-gpu.devices", "cpu.python.import"}});
}

void add_soak_test(std::vector<Test>& tests, const Soak& soak) {
  constexpr double k_patience_s = 120;
  const auto level = std::string(name_of(soak.level));
  tests.push_back({level + ".soak", soak.level, Program::libtorch, k_soak, k_at_most, 0.0, "values",
                   soak.seconds + k_patience_s,
                   soak.level == Level::gpu ? std::vector<std::string>{"gpu.device"} : std::vector<std::string>{}});
}

}  // namespace

std::vector<Test> plan(const Soak& soak) {
  std::vector<Test> tests;
  add_boot_tests(tests);
  add_cpu_tests(tests);
  if (soak.seconds > 0 && soak.level == Level::cpu) add_soak_test(tests, soak);
  add_gpu_device_tests(tests);
  add_gpu_numeric_tests(tests);
  add_gpu_training_tests(tests);
  add_gpu_python_tests(tests);
  if (soak.seconds > 0 && soak.level == Level::gpu) add_soak_test(tests, soak);
  add_multi_gpu_tests(tests);
  return tests;
}

bool keeps_limit(const Test& test, double measured) {
  const auto limit = std::get<double>(test.limit);
  switch (test.compare) {
    case Compare::at_most:
      return measured <= limit;
    case Compare::at_least:
      return measured >= limit;
    case Compare::equals:
      return measured == limit;
  }
  return false;
}

std::string_view name_of(Level level) {
  switch (level) {
    case Level::boot:
      return "boot";
    case Level::cpu:
      return "cpu";
    case Level::gpu:
      return "gpu";
    case Level::multi_gpu:
      return "multi-gpu";
  }
  return "";
}

std::string_view name_of(Program program) {
  switch (program) {
    case Program::boot:
      return "boot";
    case Program::libtorch:
      return "libtorch";
    case Program::python:
      return "python";
  }
  return "";
}

std::string_view name_of(Compare compare) {
  switch (compare) {
    case Compare::at_most:
      return "at most";
    case Compare::at_least:
      return "at least";
    case Compare::equals:
      return "equals";
  }
  return "";
}

}  // namespace torchkiln::verifier
