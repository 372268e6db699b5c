FROM nvidia/cuda:12.6.3-runtime-ubuntu22.04
# finds container-toolkit-in-image
RUN apt-get update && apt-get install --yes --no-install-recommends nvidia-container-toolkit=1.17.8-1 \
 && rm -rf /var/lib/apt/lists/*
