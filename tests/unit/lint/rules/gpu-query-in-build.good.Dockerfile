FROM nvidia/cuda:12.6.3-runtime-ubuntu22.04
RUN echo nvidia-smi && python3 -c "import torch; print(torch.version.cuda)"
HEALTHCHECK CMD ["nvidia-smi"]
CMD ["python3", "-c", "import torch; assert torch.cuda.is_available()"]
