FROM debian:12
# finds cd-in-run
RUN cd /src && make
