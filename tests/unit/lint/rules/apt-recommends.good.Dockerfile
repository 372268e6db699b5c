FROM debian:12
RUN apt-get update && apt-get install --yes --no-install-recommends git=1:2.39.5 && rm -rf /var/lib/apt/lists/*
RUN apt-get update && apt-get install --yes -o APT::Install-Recommends=false git=1:2.39.5 \
 && rm -rf /var/lib/apt/lists/*
