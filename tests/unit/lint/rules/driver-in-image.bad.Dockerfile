FROM debian:12
# finds driver-in-image
RUN apt-get update && apt-get install --yes --no-install-recommends nvidia-driver-535=535.183.01-1 \
 && rm -rf /var/lib/apt/lists/*
# finds driver-in-image
RUN apt-get update && apt-get install --yes --no-install-recommends cuda-12-4=12.4.1-1 && rm -rf /var/lib/apt/lists/*
# finds driver-in-image
RUN sh cuda_12.1.0_530.30.02_linux.run --silent
