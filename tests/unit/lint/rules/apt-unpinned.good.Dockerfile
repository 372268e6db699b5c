FROM debian:12
RUN apt-get update && apt-get install --yes --no-install-recommends git=1:2.39.5-0+deb12u2 \
 && rm -rf /var/lib/apt/lists/*
RUN apt-get install --yes --no-install-recommends ./local.deb cmake/bookworm
