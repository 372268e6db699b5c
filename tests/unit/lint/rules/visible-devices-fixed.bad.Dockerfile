FROM nvidia/cuda:12.6.3-runtime-ubuntu22.04
# finds visible-devices-fixed
ENV NVIDIA_VISIBLE_DEVICES=0
# finds visible-devices-fixed
ENV CUDA_VISIBLE_DEVICES 0,1
# finds visible-devices-fixed
ENV A=1 \
    NVIDIA_VISIBLE_DEVICES=GPU-8f1c23d4
