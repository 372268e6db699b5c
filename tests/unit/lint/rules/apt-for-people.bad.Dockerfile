FROM debian:12
# finds apt-for-people
RUN apt install --yes --no-install-recommends git=1:2.39.5
