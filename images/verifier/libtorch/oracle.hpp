// The references that numerics are judged by: plain loops over double, sharing no code with torch.
#pragma once

#include <complex>
#include <cstdint>
#include <functional>
#include <vector>

namespace torchkiln::verifier {

using Numbers = std::vector<double>;

/// Row-major (rows × inner) · (inner × columns).
Numbers reference_matmul(const Numbers& a, const Numbers& b, std::int64_t rows, std::int64_t inner,
                         std::int64_t columns);

struct ConvolutionShape {
  const char* name;
  std::int64_t batch, in_channels, out_channels, size, kernel, stride, padding, dilation, groups;

  std::int64_t out_size() const { return (size + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1; }
  std::int64_t input_count() const { return batch * in_channels * size * size; }
  std::int64_t weight_count() const { return out_channels * (in_channels / groups) * kernel * kernel; }
  std::int64_t output_count() const { return batch * out_channels * out_size() * out_size(); }
};

/// Output, and the gradients of sum(output · output_gradient) for input and weight.
struct ConvolutionReference {
  Numbers output, input_gradient, weight_gradient;
};

ConvolutionReference reference_conv2d(const Numbers& input, const Numbers& weight, const Numbers& output_gradient,
                                      const ConvolutionShape& shape);

struct RecurrentShape {
  std::int64_t steps, batch, in_size, hidden_size;
};

/// Of a recurrent layer: (gates · hidden × in), (gates · hidden × hidden), and two biases of gates · hidden.
struct RecurrentWeights {
  Numbers input, hidden, input_bias, hidden_bias;
};

/// Outputs (steps × batch × hidden) of one layer that starts from zeros, by the equations of torch.nn.LSTM's and
/// torch.nn.GRU's documentation, gates in their order there (i f g o, r z n).
Numbers reference_lstm(const Numbers& input, const RecurrentWeights& weights, const RecurrentShape& shape);
Numbers reference_gru(const Numbers& input, const RecurrentWeights& weights, const RecurrentShape& shape);

struct AttentionShape {
  std::int64_t heads, length, width;
};
enum class Mask { none, causal };

/// softmax(query · keyᵀ / √width) · value for every head; each is (heads × length × width).
Numbers reference_attention(const Numbers& query, const Numbers& key, const Numbers& value,
                            const AttentionShape& shape, Mask mask);

/// The discrete Fourier transform by its definition.
std::vector<std::complex<double>> reference_dft(const Numbers& signal);

/// The larger of two errors, NaN being larger than any.
double worse(double one, double other);

/// |measured - reference| / |reference| in the Frobenius norm; NaN and infinity stay what they are.
double relative_error(const Numbers& measured, const Numbers& reference);

}  // namespace torchkiln::verifier
