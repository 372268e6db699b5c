FROM debian:12
LABEL org.opencontainers.image.authors="somebody@example.org"
