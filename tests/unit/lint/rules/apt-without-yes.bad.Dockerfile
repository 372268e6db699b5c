FROM debian:12
# finds apt-without-yes
RUN apt-get update && apt-get install --no-install-recommends git=1:2.39.5 && rm -rf /var/lib/apt/lists/*
