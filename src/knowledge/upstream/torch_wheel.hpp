#pragma once
// From the members of a wheel to a row of the matrix. Pure.

#include "knowledge/upstream/listing.hpp"
#include "knowledge/upstream/remote_wheel.hpp"

#include <string>
#include <vector>

namespace torchkiln::upstream {

/// What is read of a wheel of torch: some 12 MB of 500 to 900, nearly all of it libtorch_python.so.
std::vector<std::string> torch_members();
/// The build that a family of torch wheels is, by what was read of its representative. `index` is "default" or
/// "pytorch". input_invalid where the wheel contradicts itself or its name. The build's provenance is left to the
/// caller but for the note.
base::Result<matrix::Build> torch_build(const WheelFamily& family, const RemoteWheel& wheel,
                                        const std::string& index);

/// A release of torchvision or torchaudio, by METADATA of its representative, and the torch release that it pins;
/// `pytorch` is empty where METADATA pins no release of torch.
base::Result<matrix::Companion> companion_of(const std::string& package, const WheelFamily& family,
                                             const RemoteWheel& wheel);

/// The package that each extra asks for itself, on x86_64 Linux: of several the one whose name ends in the extra's.
base::Result<matrix::Metapackage> metapackage_of(const std::string& metadata, const std::string& file,
                                                 const std::vector<std::string>& extras);

}  // namespace torchkiln::upstream
