ARG CUDA=12.1.1
FROM nvidia/cuda:${CUDA}-base-ubuntu22.04
# finds torch-build-unnamed
RUN pip install --no-cache-dir torch==2.8.0 numpy==2.3.2
