FROM debian:12
# finds ssh-port
EXPOSE 8888 22/tcp
