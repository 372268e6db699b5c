#pragma once
// The single values of a spec: what each may look like, and what is said when it does not. Errors have the code
// input_invalid and no place; the reader adds both.

#include "knowledge/spec/spec.hpp"

#include <string>
#include <string_view>

namespace torchkiln::spec {

/// [require] pytorch: a version requirement, which may name a build ("2.8.0+cu128").
base::Result<version::SpecifierSet> parse_pytorch(std::string_view text);
/// [require] python: minor versions only, since the patch release is the operating system's.
base::Result<version::SpecifierSet> parse_python(std::string_view text);
/// [require] cuda: minor versions only, as PyTorch names its builds.
base::Result<version::SpecifierSet> parse_cuda(std::string_view text);
/// [require] cudnn and nccl.
base::Result<version::SpecifierSet> parse_library(std::string_view text);
base::Result<version::DriverVersion> parse_driver(std::string_view text);
/// The form "debian-12"; whether it exists is the matrix's question.
base::Result<std::string> parse_os(std::string_view text);
/// "x86_64" or "aarch64", also as Debian and Docker call them ("amd64", "arm64").
base::Result<std::string> parse_architecture(std::string_view text);
/// A model name or a compute capability; whether it exists is the matrix's question.
base::Result<std::string> parse_gpu(std::string_view text);

/// An OCI repository name (OCI distribution specification, "Pulling manifests"; registry host and port allowed)
/// without tag or digest.
base::Result<std::string> parse_image_name(std::string_view text);
/// A minor version of Python, "3.12".
base::Result<std::string> parse_python_version(std::string_view text);
/// An address of a file by HTTP.
base::Result<std::string> parse_url(std::string_view text);
/// PEP 508 without URLs.
base::Result<PythonPackage> parse_python_package(std::string_view text);
/// Debian Policy 5.6.1: lower-case letters, digits, plus, minus and full stop; at least two characters.
base::Result<std::string> parse_system_package(std::string_view text);
/// What adduser accepts by default, up to 32 characters, and not root.
base::Result<std::string> parse_user_name(std::string_view text);

/// User and group ids. 65534 is nobody, and rootless containers have 65536 ids to map.
inline constexpr std::int64_t k_user_id_min = 1;
inline constexpr std::int64_t k_user_id_max = 65533;

}  // namespace torchkiln::spec
