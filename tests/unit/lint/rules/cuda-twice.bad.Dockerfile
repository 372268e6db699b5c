FROM nvidia/cuda:12.6.3-devel-ubuntu22.04
# finds cuda-twice
RUN apt-get update && apt-get install --yes --no-install-recommends cuda-toolkit-12-6=12.6.3-1 \
 && rm -rf /var/lib/apt/lists/*
# finds cuda-twice
RUN conda install --yes cudatoolkit=11.8
