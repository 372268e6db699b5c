FROM debian:12
# finds apt-recommends
RUN apt-get update && apt-get install --yes git=1:2.39.5 && rm -rf /var/lib/apt/lists/*
