FROM nvidia/cuda:12.6.3-runtime-ubuntu22.04
# finds nvidia-require-off
ENV NVIDIA_DISABLE_REQUIRE=1
