#!/usr/bin/env python3
"""The devel variant with real PyTorch for CUDA 13: nvcc compiles for every GPU that torch has code for, a PyTorch
extension with a CUDA kernel is built and runs its CPU half, and CMake builds a program that trains with LibTorch."""
import json
import re
import time
import unittest

import kiln

SPEC = """schema = "torchkiln.spec/1"
[image]
name = "e2e/pytorch"
variants = ["devel"]
verifier = false
[require]
cuda = "13.0"
os = "debian-12"
gpus = [{gpus}]
"""
TARGETS = ["75", "80", "86", "90", "100", "120"]

KERNEL = """
__global__ void scale_kernel(float* x, float by, int n) { int i = blockIdx.x * blockDim.x + threadIdx.x; if (i < n) x[i] *= by; }
void scale(float* x, float by, int n) { scale_kernel<<<(n + 255) / 256, 256>>>(x, by, n); }
"""
EXTENSION = """
#include <torch/extension.h>
void scale(float* x, float by, int n);
torch::Tensor twice(torch::Tensor x) {
  if (x.is_cuda()) { scale(x.data_ptr<float>(), 2, x.numel()); return x; }
  return x * 2;
}
PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) { m.def("twice", &twice); }
"""
SETUP = """
from setuptools import setup
from torch.utils.cpp_extension import BuildExtension, CUDAExtension
setup(name="twice", ext_modules=[CUDAExtension("twice", ["twice.cpp", "scale.cu"])], cmdclass={"build_ext": BuildExtension})
"""
CMAKE = """
cmake_minimum_required(VERSION 3.18)
project(app LANGUAGES CXX)
find_package(Torch REQUIRED)
add_executable(app app.cpp)
target_link_libraries(app ${TORCH_LIBRARIES})
set_property(TARGET app PROPERTY CXX_STANDARD 20)
"""
PROGRAM = """
#include <torch/torch.h>
#include <iostream>
int main() {
  torch::manual_seed(1);
  torch::nn::Linear model(2, 1);
  torch::optim::SGD optimizer(model->parameters(), 0.1);
  const auto x = torch::rand({64, 2}), y = x.sum(1, true);
  double first = 0, last = 0;
  for (int i = 0; i < 500; ++i) {
    optimizer.zero_grad();
    auto loss = torch::mse_loss(model(x), y);
    loss.backward();
    optimizer.step();
    last = loss.item<double>();
    if (i == 0) first = last;
  }
  std::cout << first << " " << last << "\\n";
}
"""


class Devel(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        project = kiln.folder("project")
        (project / "kiln.toml").write_text(SPEC.format(gpus=", ".join(f'"sm_{t}"' for t in TARGETS)))
        done = kiln.torchkiln("build", "--json", "--progress", "plain", "--cache", cls.cache(), cwd=project)
        print(done.stderr, flush=True)
        cls.image = f"oci:{project}/kiln.oci:{json.loads(done.stdout)['images'][0]['tag']}"

    @classmethod
    def tearDownClass(cls):
        kiln.remove(kiln.WORK)

    @staticmethod
    def cache():
        return kiln.CACHE / "torchkiln"

    def inside(self, script: str, **files: str) -> str:
        """What a script says that runs in the image among these files ("scale_cu" is scale.cu)."""
        lines = ["set -e", "cd /workspace"]
        for name, text in files.items():
            lines.append(f"cat >{name.replace('_', '.')} <<'END'\n{text}END")
        start = time.monotonic()
        done = kiln.torchkiln("run", self.image, "--cache", self.cache(), "--", "bash", "-c", "\n".join([*lines, script]))
        print(f"measured: {self.id().split('.')[-1]}: {time.monotonic() - start:.1f} s")
        return done.stdout

    def test_pytorch_is_2_11_or_newer(self):
        said = self.inside("python -c 'import torch; print(torch.__version__)'")
        self.assertGreaterEqual([int(part) for part in said.split("+")[0].split(".")[:2]], [2, 11], said)

    def test_nvcc_compiles_for_every_target(self):
        # The flags in a cubin's ELF header (at byte 48) tell the target.
        text = self.inside(f"for t in {' '.join(TARGETS)}; do nvcc -cubin -arch=sm_$t -o $t.cubin scale.cu\n"
                           "od -An -tx4 -j48 -N4 $t.cubin; done", scale_cu=KERNEL)  # fmt: skip
        self.assertEqual(len(set(text.split())), len(TARGETS), text)

    def test_a_program_with_a_kernel_links_and_asks_for_a_driver(self):
        main = "#include <cstdio>\nint main() { int n = 0; std::puts(cudaGetErrorName(cudaGetDeviceCount(&n))); }\n"
        for library in ("static", "shared"):
            said = self.inside(f"nvcc -arch=sm_75 --cudart {library} -o program program.cu && ./program; find -L /usr/local/cuda/lib64 -type l",
                               program_cu=KERNEL + main)  # fmt: skip
            self.assertEqual(said.strip(), "cudaErrorInsufficientDriver")

    def test_an_extension_with_a_kernel_is_built_and_loaded(self):
        said = self.inside("python setup.py build_ext --inplace >build.log 2>&1 || { cat build.log; exit 1; }\n"
                           "grep -o 'code=sm_[0-9]*' build.log | sort -u | tr '\\n' ' '\n"
                           "python -c 'import torch, twice; print(twice.twice(torch.ones(3)).tolist())' 2>/dev/null",
                           twice_cpp=EXTENSION, scale_cu=KERNEL, setup_py=SETUP)  # fmt: skip
        self.assertIn("[2.0, 2.0, 2.0]", said)
        self.assertEqual(sorted(re.findall(r"sm_(\d+)", said)), sorted(TARGETS))

    def test_cmake_finds_torch_and_the_program_trains(self):
        build = ("cmake -G Ninja -S . -B build -DCMAKE_PREFIX_PATH=$(python -c 'import torch; print(torch.utils.cmake_prefix_path)') >log 2>&1"
                 " && cmake --build build >>log 2>&1 || { cat log; exit 1; }; ./build/app")  # fmt: skip
        first, last = (float(word) for word in self.inside(build, app_cpp=PROGRAM, CMakeLists_txt=CMAKE).split())
        self.assertLess(last, first / 20)

    def test_the_diffusion_example_learns_compiled(self):
        text = (kiln.SOURCE / "examples/training/diffusion.py").read_text()
        self.assertIn("compiled on cpu", self.inside("python diffusion.py", diffusion_py=text))


if __name__ == "__main__":
    unittest.main(verbosity=2)
