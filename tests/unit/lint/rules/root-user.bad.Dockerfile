FROM debian:12
USER 1000
# finds root-user
USER root
