FROM debian:12
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
RUN cat /etc/os-release | grep VERSION
SHELL ["/bin/sh", "-c"]
RUN cat /etc/os-release || echo "a | b"
