FROM nvidia/cuda:12.6.3-runtime-ubuntu22.04
RUN apt-get update && apt-get install --yes --no-install-recommends git=1:2.34.1-1ubuntu1 \
 && rm -rf /var/lib/apt/lists/*
FROM debian:12
RUN conda install --yes cudatoolkit=11.8
