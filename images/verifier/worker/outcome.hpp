// What a test function gives back. It measures and never judges: the limit is the plan's.
#pragma once

#include "plan/plan.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace torchkiln::verifier {

/// One thing worth keeping beside the measured value: a name, and a text, a number or a curve.
struct Detail {
  std::string name;
  std::variant<std::string, double, std::vector<double>> value;
};

using Details = std::vector<Detail>;

struct Measurement {
  Value value;
  Details details;
  /// Not empty: what a reader must know although the limit is kept; turns a pass into a warning.
  std::string warning;
};

/// Whose fault a failure is. A broken driver or a GPU that was not handed in says nothing about the image.
enum class Fault { image, host };

/// The test could not come to a measurement.
struct Failure {
  std::string reason;
  Fault fault = Fault::image;
  Details details;
};

using Outcome = std::variant<Measurement, Failure>;

/// What the supervisor tells every program beside the names of its tests.
struct Context {
  std::uint64_t seed = 0;
  /// An empty folder that may be written; removed by the supervisor.
  std::string scratch;
  /// Where the image's Python environment is, such as /opt/kiln.
  std::string prefix;
  /// prefix + lib/python3/site-packages.
  std::string site_packages;
  /// How long the soak test keeps the devices busy; 0 where nobody asked for it.
  double soak_s = 0;
};

}  // namespace torchkiln::verifier
