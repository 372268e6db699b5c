FROM nvidia/cuda:12.6.3-devel-ubuntu22.04 AS build
COPY kernels.cu /src/
RUN nvcc -o /src/kernels /src/kernels.cu
FROM nvidia/cuda:12.6.3-runtime-ubuntu22.04
COPY --from=build /src/kernels /usr/local/bin/kernels
CMD ["/usr/local/bin/kernels"]
