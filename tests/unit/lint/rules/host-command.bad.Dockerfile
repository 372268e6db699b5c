FROM debian:12
# finds host-command
RUN top -b -n 1
