FROM debian:12
RUN apt-get update && apt-get install -qq --no-install-recommends git=1:2.39.5 && rm -rf /var/lib/apt/lists/*
RUN apt-get update && apt-get -y install --no-install-recommends git=1:2.39.5 && rm -rf /var/lib/apt/lists/*
