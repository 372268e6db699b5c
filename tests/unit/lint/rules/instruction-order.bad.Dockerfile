# finds instruction-order
RUN true
FROM debian:12
