// Numerics against references of our own in double, the same for every device. Operands are rounded to the format
// under test first, so what is measured is the computation alone.
#include "libtorch/random.hpp"
#include "libtorch/tensors.hpp"

#include <ATen/Context.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/fft_fft.h>
#include <ATen/ops/linalg_cholesky.h>
#include <ATen/ops/linalg_eigh.h>
#include <ATen/ops/linalg_inv.h>
#include <ATen/ops/linalg_solve.h>
#include <ATen/ops/linalg_svd.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/view_as_real.h>
#include <ATen/ops/zeros.h>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>

namespace torchkiln::verifier {
namespace {

/// How float32 products may be rounded inside: "highest" not at all, "high" to TF32. Back to torch's default at the
/// end.
class Float32Precision {
 public:
  explicit Float32Precision(const char* precision) { at::globalContext().setFloat32MatmulPrecision(precision); }
  ~Float32Precision() { at::globalContext().setFloat32MatmulPrecision("highest"); }
  Float32Precision(const Float32Precision&) = delete;
  Float32Precision& operator=(const Float32Precision&) = delete;
};

struct Function {
  const char* name;
  at::Tensor (*computed)(const at::Tensor&);
  double (*reference)(double);
};

Outcome elementwise(Device device, const Context& context) {
  static const Function functions[] = {
      {"exp", [](const at::Tensor& x) { return x.exp(); }, [](double x) { return std::exp(x); }},
      {"log1p", [](const at::Tensor& x) { return x.abs().log1p(); },
       [](double x) { return std::log1p(std::abs(x)); }},
      {"sin", [](const at::Tensor& x) { return x.sin(); }, [](double x) { return std::sin(x); }},
      {"tanh", [](const at::Tensor& x) { return x.tanh(); }, [](double x) { return std::tanh(x); }},
      {"erf", [](const at::Tensor& x) { return x.erf(); }, [](double x) { return std::erf(x); }},
      {"sigmoid", [](const at::Tensor& x) { return x.sigmoid(); }, [](double x) { return 1 / (1 + std::exp(-x)); }},
      {"sqrt", [](const at::Tensor& x) { return x.abs().sqrt(); }, [](double x) { return std::sqrt(std::abs(x)); }},
  };
  Random random(context.seed);
  const auto x = tensor_of(random.normals(4096), {64, 64}, at::kFloat, device);
  const auto inputs = numbers_of(x, device);
  Errors errors;
  for (const auto& function : functions) {
    Numbers expected(inputs.size());
    std::transform(inputs.begin(), inputs.end(), expected.begin(), function.reference);
    const auto first = numbers_of(function.computed(x), device);
    const auto second = numbers_of(function.computed(x), device);
    errors.add(function.name, relative_error(second, expected));
    if (first == second) continue;
    // oneMKL 2024.2, which torch's wheels contain, chooses the code of such a function at its first call, and not
    // safely when two threads make it at once: one of them may get one of low accuracy, this once.
    char text[160];
    std::snprintf(text, sizeof text, "the process's first %s was off by %.1e, the second by %.1e (%s)",
                  function.name, relative_error(first, expected), relative_error(second, expected),
                  "https://github.com/pytorch/pytorch/issues/188792");
    errors.measurement.warning = text;
  }
  double sum = 0;
  for (const double input : inputs) sum += std::abs(input);
  errors.add("sum", relative_error(numbers_of(x.abs().sum(), device), {sum}));
  return errors.measurement;
}

double matmul_error(Device device, at::ScalarType type, std::uint64_t seed) {
  constexpr std::int64_t rows = 96;
  constexpr std::int64_t inner = 384;
  constexpr std::int64_t columns = 80;
  Random random(seed);
  const auto a = tensor_of(random.normals(rows * inner), {rows, inner}, type, device);
  const auto b = tensor_of(random.normals(inner * columns), {inner, columns}, type, device);
  const auto reference = reference_matmul(numbers_of(a, device), numbers_of(b, device), rows, inner, columns);
  return relative_error(numbers_of(a.matmul(b), device), reference);
}

TestFunction matmul(Device device, at::ScalarType type) {
  return [=](const Context& context) -> Outcome {
    const Float32Precision precision("highest");
    return Measurement{matmul_error(device, type, context.seed), {}, {}};
  };
}

/// With TF32 on, products are rounded to 10 bits on GPUs that have it (compute capability 8.0 and above): the error
/// must grow there, or the switch does nothing.
Outcome matmul_tf32(const Context& context) {
  double error_off = 0;
  {
    const Float32Precision off("highest");
    error_off = matmul_error(Device::cuda, at::kFloat, context.seed);
  }
  const Float32Precision on("high");
  const double error_on = matmul_error(Device::cuda, at::kFloat, context.seed);
  Details details{{"error without TF32", error_off}};
  if (compute_capability_major() >= 8 && !(error_on > error_off)) {
    return Failure{"the results with TF32 are as exact as without: the switch does nothing", Fault::image, details};
  }
  return Measurement{error_on, details, {}};
}

/// Residuals are formed with the oracle's matmul, not with the library under test.
Outcome linear_algebra(Device device, const Context& context) {
  constexpr std::int64_t n = 64;
  Random random(context.seed);
  const auto product = [&](const at::Tensor& a, const at::Tensor& b) {
    return reference_matmul(numbers_of(a, device), numbers_of(b, device), n, n, n);
  };
  const auto a = tensor_of(random.normals(n * n), {n, n}, at::kDouble, device) / 8 +
                 2 * at::eye(n, at::TensorOptions().dtype(at::kDouble).device(place_of(device)));
  const auto b = tensor_of(random.normals(n * n), {n, n}, at::kDouble, device);
  const auto symmetric = (a.matmul(a.t()) + a.t().matmul(a)) / 2;
  const auto [u, s, vh] = at::linalg_svd(a, /*full_matrices=*/false);
  const auto [values, vectors] = at::linalg_eigh(symmetric);
  const auto l = at::linalg_cholesky(symmetric);
  Errors errors;
  const auto add = [&](const char* name, const Numbers& formed, const at::Tensor& wanted) {
    errors.add(name, relative_error(formed, numbers_of(wanted, device)));
  };
  add("solve", product(a, at::linalg_solve(a, b)), b);
  add("cholesky", product(l, l.t()), symmetric);
  add("svd", product(u * s, vh), a);
  add("eigh", product(vectors * values, vectors.t()), symmetric);
  return errors.measurement;
}

Outcome fft(Device device, const Context& context) {
  constexpr std::int64_t length = 120;  // not a power of two: mixed radices
  Random random(context.seed);
  const auto signal = tensor_of(random.normals(length), {length}, at::kDouble, device);
  Numbers expected;
  for (const auto& point : reference_dft(numbers_of(signal, device))) {
    expected.push_back(point.real());
    expected.push_back(point.imag());
  }
  const auto spectrum = at::view_as_real(at::fft_fft(signal));
  return Measurement{relative_error(numbers_of(spectrum, device), expected), {}, {}};
}

Outcome random_numbers(Device device, const Context& context) {
  constexpr std::int64_t count = 1 << 18;
  const auto samples = [&](std::uint64_t seed) {
    at::manual_seed(seed);
    return numbers_of(at::randn({count}, at::TensorOptions().dtype(at::kFloat).device(place_of(device))), device);
  };
  const auto first = samples(context.seed);
  if (samples(context.seed) != first) return Failure{"the same seed gives other numbers", Fault::image, {}};
  if (samples(context.seed + 1) == first) return Failure{"another seed gives the same numbers", Fault::image, {}};
  double sum = 0;
  double squares = 0;
  for (const double sample : first) {
    sum += sample;
    squares += sample * sample;
  }
  constexpr double n = count;
  const double mean_deviation = std::abs(sum / n) * std::sqrt(n);
  const double variance_deviation = std::abs(squares / n - 1) * std::sqrt(n / 2);
  return Measurement{
      std::max(mean_deviation, variance_deviation), {{"mean", sum / n}, {"variance", squares / n}}, {}};
}

/// An exception of torch, thrown in its libraries, is caught here: both sides agree on the C++ ABI.
Outcome thrown_errors(const Context&) {
  const std::pair<const char*, std::function<at::Tensor()>> kinds[] = {
      {"shapes that do not fit",
       [] {
         return at::ones({2, 3}).matmul(at::ones({2, 3}));
       }},
      {"index out of range", [] { return at::ones({3}).index_select(0, at::tensor({7})); }},
      {"singular matrix",
       [] {
         return at::linalg_inv(at::zeros({3, 3}));
       }},
  };
  Measurement measurement;
  double caught = 0;
  for (const auto& [name, provoke] : kinds) {
    try {
      provoke();
      measurement.details.push_back({name, "no error"});
    } catch (const c10::Error& error) {
      ++caught;
      measurement.details.push_back({name, std::string(error.what_without_backtrace())});
    }
  }
  measurement.value = caught;
  return measurement;
}

}  // namespace

Registry numeric_tests(Device device) {
  const auto on_device = [=](Outcome (*test)(Device, const Context&)) -> TestFunction {
    return [=](const Context& context) { return test(device, context); };
  };
  const std::string level = level_of(device);
  Registry tests{{level + "elementwise.fp32", on_device(elementwise)},
                 {level + "matmul.fp64", matmul(device, at::kDouble)},
                 {level + "matmul.fp32", matmul(device, at::kFloat)},
                 {level + "matmul.bf16", matmul(device, at::kBFloat16)},
                 {level + "linear_algebra.fp64", on_device(linear_algebra)},
                 {level + "fft.fp64", on_device(fft)},
                 {level + "random", on_device(random_numbers)}};
  if (device == Device::cuda) {
    tests["gpu.matmul.tf32"] = matmul_tf32;
    tests["gpu.matmul.fp16"] = matmul(device, at::kHalf);
  } else {
    tests["cpu.errors"] = thrown_errors;
  }
  return tests;
}

}  // namespace torchkiln::verifier
