FROM debian:12.11 AS base
LABEL org.opencontainers.image.source="https://code.example"
FROM base
USER 1000:1000
HEALTHCHECK NONE
