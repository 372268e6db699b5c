#include "interface/console/verify_plots.hpp"

#include "interface/console/audit_text.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

namespace torchkiln::console {

namespace {

using report::TestOutcome;

struct Margin {
  std::string id;
  double share = 0;  ///< measured / limit; 0 is drawn at the axis's begin
  bool is_kept = true;
};

/// Tests whose measured number must stay below a positive limit.
std::vector<Margin> margins_of(const std::vector<TestOutcome>& tests) {
  std::vector<Margin> margins;
  for (const auto& test : tests) {
    if (test.compare != "at most" || !test.measured.is_number() || !test.limit.is_number()) continue;
    const auto limit = test.limit.get<double>();
    if (limit <= 0) continue;
    margins.push_back({test.id, test.measured.get<double>() / limit, test.verdict != report::TestVerdict::fail});
  }
  return margins;
}

struct Curve {
  std::string name;
  std::vector<double> points;
};

/// Points that are not finite end a curve.
std::vector<Curve> curves_of(const TestOutcome& test) {
  std::vector<Curve> curves;
  if (!test.details.is_object()) return curves;
  for (const auto& [name, value] : test.details.items()) {
    if (!value.is_array() || value.size() < 2) continue;
    Curve curve{name, {}};
    for (const auto& point : value) {
      if (!point.is_number()) break;
      curve.points.push_back(point.get<double>());
    }
    if (curve.points.size() >= 2) curves.push_back(std::move(curve));
  }
  return curves;
}

std::string short_number(double value) {
  return fmt::format("{:.3g}", value);
}

}  // namespace

std::string margins_plot(const std::vector<TestOutcome>& tests) {
  const auto margins = margins_of(tests);
  if (margins.empty()) return {};
  constexpr double k_names = 230, k_axis = 420, k_row = 20, k_top = 24, k_decades = 4;
  const double height = k_top + k_row * static_cast<double>(margins.size()) + 6;
  // The limit is at the last decade but one: what is beyond it has a decade to go.
  const auto place_of = [&](double share) {
    const double decade = share > 0 ? std::clamp(std::log10(share), -k_decades, 1.0) : -k_decades;
    return k_names + k_axis * (decade + k_decades) / (k_decades + 1);
  };
  std::string svg = fmt::format(
      "<svg class=margins viewBox=\"0 0 {} {}\" width={} role=img aria-label=\"measured values as shares of their "
      "limits\">",
      k_names + k_axis + 20, height, k_names + k_axis + 20);
  for (double decade = -k_decades; decade <= 1; ++decade) {
    const double x = place_of(std::pow(10.0, decade));
    const bool is_limit = decade == 0;
    const auto label = is_limit      ? std::string("limit")
                       : decade == 1 ? std::string("10×")
                                     : fmt::format("10{}", decade == -1   ? "⁻¹"
                                                           : decade == -2 ? "⁻²"
                                                           : decade == -3 ? "⁻³"
                                                                          : "⁻⁴");
    svg += fmt::format(
        "<line class={0} x1={1:.1f} y1={2} x2={1:.1f} y2={3:.0f} /><text class=axis x={1:.1f} y=14 "
        "text-anchor=middle>{4}</text>",
        is_limit ? "limit" : "grid", x, k_top - 4, height, label);
  }
  double y = k_top + k_row / 2;
  for (const auto& margin : margins) {
    const double x = place_of(margin.share);
    svg += fmt::format(
        "<text class=name x={0} y={1:.0f} text-anchor=end>{2}</text><line class=stem x1={3} y1={4:.0f} "
        "x2={5:.1f} y2={4:.0f} /><circle class={6} cx={5:.1f} cy={4:.0f} r=4.5><title>{2}: {7} of its "
        "limit</title></circle>",
        k_names - 8, y + 4, markup_escaped(one_line(margin.id)), k_names, y, x, margin.is_kept ? "kept" : "broken",
        short_number(margin.share));
    y += k_row;
  }
  return svg + "</svg>";
}

std::string curves_plot(const TestOutcome& test) {
  const auto curves = curves_of(test);
  if (curves.empty()) return {};
  constexpr double k_width = 340, k_height = 170, k_left = 44, k_top = 8, k_bottom = 24, k_right = 10;
  double low = std::numeric_limits<double>::infinity(), high = -low;
  std::size_t longest = 0;
  for (const auto& curve : curves) {
    const auto [least, most] = std::minmax_element(curve.points.begin(), curve.points.end());
    low = std::min(low, *least);
    high = std::max(high, *most);
    longest = std::max(longest, curve.points.size());
  }
  low = std::min(low, 0.0);
  if (high <= low) high = low + 1;
  const auto x_of = [&](std::size_t step) {
    return k_left + (k_width - k_left - k_right) * static_cast<double>(step) / static_cast<double>(longest - 1);
  };
  const auto y_of = [&](double value) {
    return k_top + (k_height - k_top - k_bottom) * (high - value) / (high - low);
  };
  std::string svg = fmt::format("<svg class=curves viewBox=\"0 0 {0} {1}\" width={0} role=img aria-label=\"{2}\">",
                                k_width, k_height, markup_escaped(one_line(test.id)));
  for (const double value : {low, (low + high) / 2, high})
    svg += fmt::format(
        "<line class=grid x1={0} y1={1:.1f} x2={2} y2={1:.1f} /><text class=axis x={3} y={4:.1f} "
        "text-anchor=end>{5}</text>",
        k_left, y_of(value), k_width - k_right, k_left - 6, y_of(value) + 4, short_number(value));
  svg += fmt::format(
      "<text class=axis x={0} y={2}>step 1</text><text class=axis x={1} y={2} text-anchor=end>{3}</text>", k_left,
      k_width - k_right, k_height - 8, longest);
  std::string legend;
  for (std::size_t i = 0; i < curves.size(); ++i) {
    std::string points;
    for (std::size_t step = 0; step < curves[i].points.size(); ++step)
      points += fmt::format("{:.1f},{:.1f} ", x_of(step), y_of(curves[i].points[step]));
    const auto label = markup_escaped(one_line(curves[i].name));
    svg += fmt::format("<polyline class=\"curve c{}\" points=\"{}\"><title>{}</title></polyline>", i % 4, points,
                       label);
    legend += fmt::format("<li><span class=\"key c{}\"></span>{}</li>", i % 4, label);
  }
  return svg + "</svg><ul class=keys>" + legend + "</ul>";
}

}  // namespace torchkiln::console
