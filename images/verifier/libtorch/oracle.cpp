#include "libtorch/oracle.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace torchkiln::verifier {
namespace {

/// Calls visit(output index, input index, weight index) for every product that a convolution adds up. Forward,
/// input gradient and weight gradient are the same set of products, added up by another index.
template <typename Visit>
void for_each_product(const ConvolutionShape& s, Visit visit) {
  const auto out_size = s.out_size();
  const auto group_in = s.in_channels / s.groups;
  const auto group_out = s.out_channels / s.groups;
  const auto place = [&](std::int64_t out, std::int64_t tap) {
    return out * s.stride - s.padding + tap * s.dilation;
  };
  std::int64_t output = 0;
  for (std::int64_t n = 0; n < s.batch; ++n) {
    for (std::int64_t o = 0; o < s.out_channels; ++o) {
      for (std::int64_t pixel = 0; pixel < out_size * out_size; ++pixel, ++output) {
        std::int64_t weight = o * group_in * s.kernel * s.kernel;
        for (std::int64_t c = 0; c < group_in; ++c) {
          const auto channel = (n * s.in_channels + o / group_out * group_in + c) * s.size * s.size;
          for (std::int64_t tap = 0; tap < s.kernel * s.kernel; ++tap, ++weight) {
            const auto y = place(pixel / out_size, tap / s.kernel);
            const auto x = place(pixel % out_size, tap % s.kernel);
            if (y < 0 || y >= s.size || x < 0 || x >= s.size) continue;
            visit(static_cast<std::size_t>(output), static_cast<std::size_t>(channel + y * s.size + x),
                  static_cast<std::size_t>(weight));
          }
        }
      }
    }
  }
}

double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}

/// weights · input + bias for one sample: `rows` numbers.
Numbers affine(const Numbers& weights, const Numbers& bias, const double* input, std::size_t rows) {
  const auto columns = weights.size() / rows;
  Numbers sums = bias;
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t i = 0; i < columns; ++i) sums[row] += weights[row * columns + i] * input[i];
  }
  return sums;
}

/// Runs `cell` (gates of the input, gates of the hidden state, hidden state, second state) over all steps.
template <typename Cell>
Numbers reference_recurrent(const Numbers& input, const RecurrentWeights& weights, const RecurrentShape& shape,
                            Cell cell) {
  const auto in = static_cast<std::size_t>(shape.in_size), hidden = static_cast<std::size_t>(shape.hidden_size);
  const auto batch = static_cast<std::size_t>(shape.batch), steps = static_cast<std::size_t>(shape.steps);
  Numbers outputs(steps * batch * hidden);
  for (std::size_t sample = 0; sample < batch; ++sample) {
    Numbers state(hidden, 0.0), second(hidden, 0.0);
    for (std::size_t step = 0; step < steps; ++step) {
      const auto place = step * batch + sample;
      const auto of_input =
          affine(weights.input, weights.input_bias, &input[place * in], weights.input_bias.size());
      const auto of_state = affine(weights.hidden, weights.hidden_bias, state.data(), weights.hidden_bias.size());
      for (std::size_t unit = 0; unit < hidden; ++unit) {
        // Gate g of the unit stands at g · hidden + unit.
        cell(&of_input[unit], &of_state[unit], hidden, state[unit], second[unit]);
        outputs[place * hidden + unit] = state[unit];
      }
    }
  }
  return outputs;
}

}  // namespace

Numbers reference_lstm(const Numbers& input, const RecurrentWeights& weights, const RecurrentShape& shape) {
  return reference_recurrent(
      input, weights, shape, [](const double* x, const double* h, std::size_t stride, double& state, double& cell) {
        const auto gate = [&](std::size_t index) { return x[index * stride] + h[index * stride]; };
        cell = sigmoid(gate(1)) * cell + sigmoid(gate(0)) * std::tanh(gate(2));
        state = sigmoid(gate(3)) * std::tanh(cell);
      });
}

Numbers reference_gru(const Numbers& input, const RecurrentWeights& weights, const RecurrentShape& shape) {
  return reference_recurrent(input, weights, shape,
                             [](const double* x, const double* h, std::size_t stride, double& state, double&) {
                               const double reset = sigmoid(x[0] + h[0]);
                               const double update = sigmoid(x[stride] + h[stride]);
                               const double fresh = std::tanh(x[2 * stride] + reset * h[2 * stride]);
                               state = (1 - update) * fresh + update * state;
                             });
}

Numbers reference_attention(const Numbers& query, const Numbers& key, const Numbers& value,
                            const AttentionShape& shape, Mask mask) {
  const auto length = static_cast<std::size_t>(shape.length), width = static_cast<std::size_t>(shape.width);
  Numbers output(query.size(), 0.0);
  Numbers weights(length);
  for (std::size_t row = 0; row < static_cast<std::size_t>(shape.heads) * length; ++row) {
    const auto head = row / length * length;
    const auto seen = mask == Mask::causal ? row % length + 1 : length;
    double sum = 0;
    for (std::size_t other = 0; other < seen; ++other) {
      double score = 0;
      for (std::size_t i = 0; i < width; ++i) score += query[row * width + i] * key[(head + other) * width + i];
      weights[other] = std::exp(score / std::sqrt(static_cast<double>(width)));
      sum += weights[other];
    }
    for (std::size_t other = 0; other < seen; ++other) {
      for (std::size_t i = 0; i < width; ++i)
        output[row * width + i] += weights[other] / sum * value[(head + other) * width + i];
    }
  }
  return output;
}

Numbers reference_matmul(const Numbers& a, const Numbers& b, std::int64_t rows, std::int64_t inner,
                         std::int64_t columns) {
  Numbers product(static_cast<std::size_t>(rows * columns), 0.0);
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t k = 0; k < inner; ++k) {
      const double factor = a[static_cast<std::size_t>(i * inner + k)];
      for (std::int64_t j = 0; j < columns; ++j) {
        product[static_cast<std::size_t>(i * columns + j)] += factor * b[static_cast<std::size_t>(k * columns + j)];
      }
    }
  }
  return product;
}

ConvolutionReference reference_conv2d(const Numbers& input, const Numbers& weight, const Numbers& output_gradient,
                                      const ConvolutionShape& shape) {
  ConvolutionReference reference{Numbers(static_cast<std::size_t>(shape.output_count()), 0.0),
                                 Numbers(input.size(), 0.0), Numbers(weight.size(), 0.0)};
  for_each_product(shape, [&](std::size_t o, std::size_t i, std::size_t w) {
    reference.output[o] += input[i] * weight[w];
    reference.input_gradient[i] += output_gradient[o] * weight[w];
    reference.weight_gradient[w] += output_gradient[o] * input[i];
  });
  return reference;
}

std::vector<std::complex<double>> reference_dft(const Numbers& signal) {
  const auto length = signal.size();
  std::vector<std::complex<double>> spectrum(length);
  for (std::size_t k = 0; k < length; ++k) {
    for (std::size_t t = 0; t < length; ++t) {
      // The product modulo the length keeps the angle small and so its sine exact.
      const double angle =
          -2 * std::numbers::pi * static_cast<double>(k * t % length) / static_cast<double>(length);
      spectrum[k] += std::polar(signal[t], angle);
    }
  }
  return spectrum;
}

double worse(double one, double other) {
  if (std::isnan(one) || std::isnan(other)) return std::numeric_limits<double>::quiet_NaN();
  return std::max(one, other);
}

double relative_error(const Numbers& measured, const Numbers& reference) {
  if (measured.size() != reference.size()) return std::numeric_limits<double>::infinity();
  double difference = 0;
  double norm = 0;
  for (std::size_t i = 0; i < measured.size(); ++i) {
    difference += (measured[i] - reference[i]) * (measured[i] - reference[i]);
    norm += reference[i] * reference[i];
  }
  return std::sqrt(difference / norm);
}

}  // namespace torchkiln::verifier
