FROM debian:12
# finds apt-update-alone
RUN apt-get update
RUN apt-get install --yes --no-install-recommends git=1:2.39.5
