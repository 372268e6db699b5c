ARG CUDA=12.1.1
FROM nvidia/cuda:${CUDA}-cudnn8-runtime-ubuntu22.04
# hadolint ignore=DL3009,DL3015
RUN apt-get update && apt-get install -y python3-pip
RUN pip install --no-cache-dir torch==2.8.0+cu121 \
      torchvision==0.22.0
RUN python3 -c "import torch; assert torch.cuda.is_available()"
ENV NVIDIA_VISIBLE_DEVICES=0
USER 1000:1000
CMD python3 train.py
