FROM nvidia/cuda:12.6.3-devel-ubuntu22.04 AS build
COPY kernels.cu /src/
RUN nvcc -o /src/kernels /src/kernels.cu
# finds devel-final-stage
FROM build
CMD ["/src/kernels"]
