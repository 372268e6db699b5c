FROM debian:12.11
# finds workdir-system
WORKDIR /proc
# finds workdir-system
WORKDIR /dev/shm/work
USER 1000:1000
HEALTHCHECK NONE
