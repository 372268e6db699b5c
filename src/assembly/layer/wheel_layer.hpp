#pragma once
// Wheels as an image layer. The layer is a pure function of the wheels' SHA-256, the install scheme and
// k_wheel_layer_recipe: fixed owner, modes 0644 and 0755, one constant time, sorted paths, every parent folder
// emitted with the same attributes, deflate streams copied from the wheels. Any two machines get the same digest.

#include "assembly/layer/layer_writer.hpp"
#include "foundation/base/digest.hpp"
#include "foundation/base/error.hpp"
#include "knowledge/wheel/install.hpp"
#include "knowledge/wheel/wheel.hpp"

#include <span>
#include <string>

namespace torchkiln::layer {

/// Names this way of making layers. Raise the number whenever a byte of any layer could change. 2: packages lie in
/// lib/python3.
inline constexpr std::string_view k_wheel_layer_recipe = "wheel-layer/2";

/// Whether a layer is the same for every Python version, or was made for one (wheel::is_version_free).
enum class Pythons { every, one };
Pythons pythons_of(std::span<const wheel::Wheel> wheels);

/// The catalog key of the layer that make_wheel_layer gives for these wheels.
std::string wheel_layer_key(std::span<const base::Digest> wheels, const wheel::InstallScheme& scheme,
                            Pythons pythons);

/// One layer with the wheels installed. Fails with package_conflict when they disagree about a path.
base::Result<LayerFacts> make_wheel_layer(std::span<const wheel::Wheel> wheels, const wheel::InstallScheme& scheme,
                                          const sys::BlobStore& store);

/// The same without inflating, for a layer that is known: whether the bytes that the wheels give have the digest
/// that was `claimed`. If not, the claim is wrong or a wheel is damaged, and nothing is left in the store.
base::Result<bool> copy_wheel_layer(std::span<const wheel::Wheel> wheels, const wheel::InstallScheme& scheme,
                                    const base::Digest& claimed, const sys::BlobStore& store);

}  // namespace torchkiln::layer
