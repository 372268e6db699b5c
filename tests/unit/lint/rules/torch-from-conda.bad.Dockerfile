FROM nvidia/cuda:12.6.3-runtime-ubuntu22.04
# finds torch-from-conda
RUN conda install --yes --name base pytorch=2.5.1 -c pytorch
# finds torch-from-conda
RUN micromamba create -y -n train pytorch::pytorch numpy
