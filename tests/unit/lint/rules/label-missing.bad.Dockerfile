FROM debian:12.11 AS other
LABEL org.opencontainers.image.source="https://code.example"
# finds label-missing
FROM debian:12.11
LABEL org.opencontainers.image.title="image"
USER 1000:1000
HEALTHCHECK NONE
