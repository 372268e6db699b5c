#pragma once
// What has been signed about an image, and whether it is enough. Pure, as documents.hpp.

#include "assembly/oci/layout.hpp"
#include "interface/console/terminal.hpp"
#include "proof/stamp/check.hpp"
#include "proof/stamp/show.hpp"

#include <string>

namespace torchkiln::console {

std::string stamp_check_text(const oci::Image& image, const stamp::Verdict& verdict, const Paint& paint);
/// torchkiln.stamp-check/1.
std::string stamp_check_json(const oci::Image& image, const stamp::Verdict& verdict);

std::string stamp_show_text(const oci::Image& image, const stamp::Shown& shown, const Paint& paint);
/// torchkiln.stamp-show/1.
std::string stamp_show_json(const oci::Image& image, const stamp::Shown& shown);

}  // namespace torchkiln::console
