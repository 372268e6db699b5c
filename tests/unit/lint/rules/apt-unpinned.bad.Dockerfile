FROM debian:12
# finds apt-unpinned
RUN apt-get update && apt-get install --yes --no-install-recommends git && rm -rf /var/lib/apt/lists/*
# finds apt-unpinned
RUN apt-get update \
 # a comment inside the command
 && DEBIAN_FRONTEND=noninteractive apt-get -y install --no-install-recommends \
      curl=7.88.1-10 \

      cmake \
 && rm -rf /var/lib/apt/lists/*
