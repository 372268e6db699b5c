FROM debian:12
ENV LD_LIBRARY_PATH=/usr/local/cuda/lib64
