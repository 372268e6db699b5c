FROM nvidia/cuda:12.6.3-runtime-ubuntu22.04
# finds driver-capabilities-all
ENV NVIDIA_DRIVER_CAPABILITIES=all
