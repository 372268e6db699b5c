FROM debian:12
RUN apt-get update && apt-get install --yes --no-install-recommends nvtop=3.0.1-1 && rm -rf /var/lib/apt/lists/*
