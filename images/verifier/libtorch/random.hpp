// Random numbers of our own, so that data and references do not depend on the generator under test. SplitMix64
// (https://prng.di.unimi.it/splitmix64.c) and Box-Muller.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <vector>

namespace torchkiln::verifier {

class Random {
 public:
  explicit Random(std::uint64_t seed) : m_state(seed) {}

  std::uint64_t bits() {
    m_state += 0x9e3779b97f4a7c15;
    std::uint64_t z = m_state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

  /// In [0, 1), with 53 random bits.
  double uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }

  /// In [0, limit).
  std::int64_t below(std::int64_t limit) {
    return static_cast<std::int64_t>(uniform() * static_cast<double>(limit));
  }

  double normal() { return std::sqrt(-2 * std::log(1 - uniform())) * std::cos(2 * std::numbers::pi * uniform()); }

  std::vector<double> normals(std::int64_t count) {
    std::vector<double> values(static_cast<std::size_t>(count));
    for (auto& value : values) value = normal();
    return values;
  }

 private:
  std::uint64_t m_state;
};

}  // namespace torchkiln::verifier
