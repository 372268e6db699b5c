FROM debian:12
RUN apt-get update && apt-get upgrade --yes && rm -rf /var/lib/apt/lists/*
