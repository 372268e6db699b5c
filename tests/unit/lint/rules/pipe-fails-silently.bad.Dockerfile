FROM debian:12
# finds pipe-fails-silently
RUN cat /etc/os-release | grep VERSION
