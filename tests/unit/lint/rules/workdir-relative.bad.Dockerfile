FROM debian:12
# finds workdir-relative
WORKDIR app
