FROM debian:12
# finds cuda-library-path
ENV LD_LIBRARY_PATH=/usr/local/cuda/lib64/stubs:/usr/lib
# finds cuda-library-path
ENV LD_LIBRARY_PATH=/usr/local/cuda-12.8/compat
