FROM debian:12
# finds apt-unauthenticated
RUN apt-get install --yes --no-install-recommends --allow-unauthenticated git=1:2.39.5
# finds apt-unauthenticated
RUN apt-get install --force-yes --no-install-recommends git=1:2.39.5
