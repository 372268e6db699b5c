// Convolutions with both gradients, in every format and every mode of choosing cuDNN's algorithms.
#include "libtorch/random.hpp"
#include "libtorch/tensors.hpp"

#include <ATen/Context.h>
#include <ATen/ops/conv2d.h>
#include <array>

namespace torchkiln::verifier {
namespace {

/// How cuDNN finds its algorithm: by rules, by trying all, or among those that repeat bit by bit.
enum class Search { heuristic, benchmark, deterministic };
enum class Tf32 { off, on };

/// Puts torch's defaults back at the end.
class CudnnMode {
 public:
  CudnnMode(Search search, Tf32 tf32) {
    at::globalContext().setBenchmarkCuDNN(search == Search::benchmark);
    at::globalContext().setDeterministicCuDNN(search == Search::deterministic);
    at::globalContext().setAllowTF32CuDNN(tf32 == Tf32::on);
  }
  ~CudnnMode() {
    at::globalContext().setBenchmarkCuDNN(false);
    at::globalContext().setDeterministicCuDNN(false);
    at::globalContext().setAllowTF32CuDNN(false);
  }
  CudnnMode(const CudnnMode&) = delete;
  CudnnMode& operator=(const CudnnMode&) = delete;
};

constexpr ConvolutionShape k_shapes[] = {
    // name      batch  in out size kernel stride padding dilation groups
    {"plain", 2, 8, 12, 12, 3, 1, 1, 1, 1},    {"strided", 2, 6, 8, 13, 5, 2, 2, 1, 1},
    {"dilated", 2, 6, 8, 14, 3, 1, 2, 2, 1},   {"grouped", 2, 8, 16, 10, 3, 1, 1, 1, 4},
    {"depthwise", 2, 8, 8, 12, 3, 1, 1, 1, 8}, {"pointwise", 2, 64, 16, 8, 1, 1, 0, 1, 1},
};

/// Output, input gradient and weight gradient.
using Results = std::array<at::Tensor, 3>;

Results convolve(const at::Tensor& input, const at::Tensor& weight, const at::Tensor& output_gradient,
                 const ConvolutionShape& s) {
  const auto x = input.detach().clone().requires_grad_();
  const auto w = weight.detach().clone().requires_grad_();
  const auto y = at::conv2d(x, w, {}, s.stride, s.padding, s.dilation, s.groups);
  y.backward(output_gradient);
  return {y.detach(), x.grad(), w.grad()};
}

Outcome convolutions(Device device, at::ScalarType type, Search search, Tf32 tf32, const Context& context) {
  const CudnnMode mode(search, tf32);
  Random random(context.seed);
  Errors errors;
  for (const auto& s : k_shapes) {
    const auto x =
        tensor_of(random.normals(s.input_count()), {s.batch, s.in_channels, s.size, s.size}, type, device);
    const auto w = tensor_of(random.normals(s.weight_count()),
                             {s.out_channels, s.in_channels / s.groups, s.kernel, s.kernel}, type, device);
    const auto g = tensor_of(random.normals(s.output_count()),
                             {s.batch, s.out_channels, s.out_size(), s.out_size()}, type, device);
    const auto reference = reference_conv2d(numbers_of(x, device), numbers_of(w, device), numbers_of(g, device), s);
    const auto results = convolve(x, w, g, s);
    const std::string name = s.name;
    errors.add(name, relative_error(numbers_of(results[0], device), reference.output));
    errors.add(name + ", input gradient", relative_error(numbers_of(results[1], device), reference.input_gradient));
    errors.add(name + ", weight gradient",
               relative_error(numbers_of(results[2], device), reference.weight_gradient));
    if (search != Search::deterministic) continue;
    const auto again = convolve(x, w, g, s);
    for (std::size_t i = 0; i < results.size(); ++i) {
      if (!results[i].equal(again[i])) return Failure{name + ": a second run gives other bits", Fault::image, {}};
    }
  }
  return errors.measurement;
}

}  // namespace

Registry convolution_tests(Device device) {
  const auto test = [=](at::ScalarType type, Search search, Tf32 tf32) -> TestFunction {
    return [=](const Context& context) { return convolutions(device, type, search, tf32, context); };
  };
  const std::string level = level_of(device);
  Registry tests{{level + "conv2d.fp32", test(at::kFloat, Search::heuristic, Tf32::off)},
                 {level + "conv2d.bf16", test(at::kBFloat16, Search::heuristic, Tf32::off)},
                 {level + "conv2d.deterministic", test(at::kFloat, Search::deterministic, Tf32::off)}};
  if (device == Device::cuda) {
    tests["gpu.conv2d.tf32"] = test(at::kFloat, Search::heuristic, Tf32::on);
    tests["gpu.conv2d.fp16"] = test(at::kHalf, Search::heuristic, Tf32::off);
    tests["gpu.conv2d.benchmark"] = test(at::kFloat, Search::benchmark, Tf32::off);
  }
  return tests;
}

}  // namespace torchkiln::verifier
