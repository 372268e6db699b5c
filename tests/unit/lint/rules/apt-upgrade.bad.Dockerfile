FROM debian:12
# finds apt-upgrade
RUN apt-get update && apt-get dist-upgrade --yes && rm -rf /var/lib/apt/lists/*
