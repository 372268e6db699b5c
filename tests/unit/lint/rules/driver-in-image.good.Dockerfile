FROM debian:12
RUN apt-get update && apt-get install --yes --no-install-recommends cuda-toolkit-12-4=12.4.1-1 \
 && rm -rf /var/lib/apt/lists/*
RUN sh cuda_12.1.0_530.30.02_linux.run --silent --toolkit
