FROM debian:12
RUN apt-get install --yes --no-install-recommends git=1:2.39.5
