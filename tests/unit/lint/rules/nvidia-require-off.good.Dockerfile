FROM nvidia/cuda:12.6.3-runtime-ubuntu22.04
ENV NVIDIA_REQUIRE_CUDA="cuda>=12.0"
