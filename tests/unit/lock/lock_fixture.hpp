#pragma once
// A lock with one of everything, and the resolution behind it.

#include "decision/solver/solver.hpp"
#include "plan/lock/lock.hpp"
#include "support/must.hpp"

#include <string>

namespace torchkiln::lock::test {

inline LockedWheel a_wheel(const std::string& name, const std::string& version) {
  LockedWheel wheel;
  wheel.name = name;
  wheel.version = version;
  wheel.file_name = name + "-" + version + "-py3-none-any.whl";
  wheel.url = "https://index.example/packages/" + wheel.file_name;
  wheel.digest = base::Digest::of(wheel.file_name);
  wheel.size_bytes = 1000;
  wheel.unpacked_bytes = 3000;
  return wheel;
}

/// Where a_deb() goes.
enum class Placement { base, build_root };
inline LockedDeb a_deb(const std::string& name, const std::string& version, Placement placement = Placement::base) {
  return {name,
          version,
          "amd64",
          "http://mirror.example/pool/" + name + "_" + version + "_amd64.deb",
          base::Digest::of(name),
          2000,
          {},
          placement == Placement::build_root};
}

inline Lock a_lock() {
  Lock lock;
  lock.spec_digest = base::Digest::of("spec");
  lock.matrix_revision = base::Digest::of("matrix");
  lock.image_name = "team/pytorch";
  lock.requested = {"torch==2.8.0", "numpy>=1.26", "pip"};
  lock.requested_debian = {"build:g++", "ca-certificates", "python3", "tini"};
  auto& r = lock.resolution;
  r.pytorch = "2.8.0";
  r.build = "cu128";
  r.index = "default";
  r.released = "2025-08-06";
  r.architecture = "x86_64";
  r.cuda = "12.8";
  r.cudnn = "9.10.2.21";
  r.nccl = "2.27.3";
  r.triton = "3.4.0";
  r.python = "3.11";
  r.os = "debian-12";
  r.distribution = "debian";
  r.suite = "bookworm";
  r.glibc = "2.36";
  r.driver_minimum = "525.60.13";
  r.driver_without_minor_version_compatibility = "570.26";
  r.sass = {"7.0", "9.0"};
  r.ptx = {};
  auto torch = a_wheel("torch", "2.8.0");
  torch.size_bytes = 887'000'000;
  torch.uploaded_s = 1'754'491'980;
  torch.layer = LockedLayer{base::Digest::of("layer"), base::Digest::of("diff"), 888'000'000};
  lock.wheels = {a_wheel("numpy", "2.3.1"), a_wheel("pip", "25.2"), torch};
  lock.debs = {a_deb("g++", "4:12.2.0-3", Placement::build_root), a_deb("tini", "0.19.0-1+b3")};
  return lock;
}

/// The resolution that a_lock() was made from.
inline solver::Resolution a_resolution() {
  using torchkiln::test::must;
  solver::Resolution r;
  r.pytorch = must(version::Version::parse("2.8.0"));
  r.build = "cu128";
  r.index = "default";
  r.released = "2025-08-06";
  r.cuda = must(version::CudaVersion::parse("12.8"));
  r.cudnn = must(version::Version::parse("9.10.2.21"));
  r.nccl = must(version::Version::parse("2.27.3"));
  r.triton = must(version::Version::parse("3.4.0"));
  r.python = "3.11";
  r.os.id = "debian-12";
  r.os.distribution = "debian";
  r.os.suite = "bookworm";
  r.os.glibc = must(version::Version::parse("2.36"));
  r.driver_minimum = must(version::DriverVersion::parse("525.60.13"));
  r.driver_without_minor_version_compatibility = must(version::DriverVersion::parse("570.26"));
  r.sass = {must(version::ComputeCapability::parse("7.0")), must(version::ComputeCapability::parse("9.0"))};
  return r;
}

}  // namespace torchkiln::lock::test
