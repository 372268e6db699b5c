#include "libtorch/oracle.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

using namespace torchkiln::verifier;

TEST_CASE("matmul: by hand") {
  CHECK(reference_matmul({1, 2, 3, 4, 5, 6}, {1, 0, 0, 1, 2, 3}, 2, 3, 2) == Numbers{7, 11, 16, 23});
}

TEST_CASE("conv2d: by hand, with padding, stride and dilation") {
  const ConvolutionShape padded{"padded", 1, 1, 1, 3, 3, 2, 1, 1, 1};
  const Numbers input{1, 2, 3, 4, 5, 6, 7, 8, 9};
  REQUIRE(padded.out_size() == 2);
  const auto sums = reference_conv2d(input, Numbers(9, 1), {1, 0, 0, 0}, padded);
  CHECK(sums.output == Numbers{12, 16, 24, 28});
  CHECK(sums.input_gradient == Numbers{1, 1, 0, 1, 1, 0, 0, 0, 0});
  CHECK(sums.weight_gradient == Numbers{0, 0, 0, 0, 1, 2, 0, 4, 5});

  const ConvolutionShape dilated{"dilated", 1, 1, 1, 3, 2, 1, 0, 2, 1};
  CHECK(reference_conv2d(input, {1, 10, 100, 1000}, {1}, dilated).output == Numbers{1 + 30 + 700 + 9000});
}

TEST_CASE("conv2d: groups keep apart, channels and pictures add up") {
  const ConvolutionShape grouped{"grouped", 2, 2, 2, 1, 1, 1, 0, 1, 2};
  CHECK(reference_conv2d({1, 2, 3, 4}, {10, 100}, Numbers(4, 1), grouped).output == Numbers{10, 200, 30, 400});
  const ConvolutionShape full{"full", 2, 2, 2, 1, 1, 1, 0, 1, 1};
  CHECK(reference_conv2d({1, 2, 3, 4}, {10, 100, 1, 1}, Numbers(4, 1), full).output == Numbers{210, 3, 430, 7});
}

TEST_CASE("one step of an LSTM and a GRU of one unit: by hand") {
  const RecurrentShape one{1, 1, 1, 1};
  const auto sigmoid = [](double x) { return 1 / (1 + std::exp(-x)); };
  // Every gate sees 2 · input + bias: the state is zero, so that its own weights do not matter.
  const RecurrentWeights four{{2, 2, 2, 2}, {9, 9, 9, 9}, {0.1, 0.2, 0.3, 0.4}, {0, 0, 0, 0}};
  const double cell = sigmoid(2.1) * std::tanh(2.3);
  CHECK(reference_lstm({1}, four, one)[0] == Approx(sigmoid(2.4) * std::tanh(cell)));
  const RecurrentWeights three{{2, 2, 2}, {9, 9, 9}, {0.1, 0.2, 0.3}, {0, 0, 0.5}};
  const double fresh = std::tanh(2.3 + sigmoid(2.1) * 0.5);
  CHECK(reference_gru({1}, three, one)[0] == Approx((1 - sigmoid(2.2)) * fresh));
}

TEST_CASE("a recurrent layer carries its state from step to step and keeps samples apart") {
  const RecurrentShape two{2, 2, 1, 1};
  const RecurrentWeights weights{{1, 1, 1}, {1, 1, 1}, {0, 0, 0}, {0, 0, 0}};
  const auto both = reference_gru({1, -1, 1, -1}, weights, two);
  const auto alone = reference_gru({1, 1}, weights, {2, 1, 1, 1});
  CHECK(both[0] == alone[0]);
  CHECK(both[2] == alone[1]);
  CHECK(both[3] != both[2]);
}

TEST_CASE("attention: equal keys give the mean, and the mask hides what comes later") {
  const AttentionShape shape{1, 2, 1};
  CHECK(reference_attention({5, 5}, {1, 1}, {2, 4}, shape, Mask::none) == Numbers{3, 3});
  CHECK(reference_attention({5, 5}, {1, 1}, {2, 4}, shape, Mask::causal) == Numbers{2, 3});
  const double weight = std::exp(2.0) / (1 + std::exp(2.0));
  CHECK(reference_attention({2, 0}, {0, 1}, {0, 1}, shape, Mask::none)[0] == Approx(weight));
}

TEST_CASE("the transform of a wave is one line of the spectrum") {
  const auto spectrum = reference_dft({0, 1, 0, -1});
  CHECK(std::abs(spectrum[0]) < 1e-15);
  CHECK(std::abs(spectrum[1] - std::complex<double>(0, -2)) < 1e-15);
  CHECK(std::abs(spectrum[3] - std::complex<double>(0, 2)) < 1e-15);
}

TEST_CASE("an error is never hidden: NaN stays, another length is infinite") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(relative_error({3, 4}, {3, 4}) == 0);
  CHECK(relative_error({3, 4 + 0.5}, {3, 4}) == Approx(0.1));
  CHECK(std::isnan(relative_error({3, nan}, {3, 4})));
  CHECK(std::isinf(relative_error({3}, {3, 4})));
  CHECK(std::isnan(worse(nan, 1)));
  CHECK(std::isnan(worse(1, nan)));
  CHECK(worse(1, 2) == 2);
}
