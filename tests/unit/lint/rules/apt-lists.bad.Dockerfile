FROM debian:12
# finds apt-lists
RUN apt-get update && apt-get install --yes --no-install-recommends git=1:2.39.5
