FROM debian:12.11
RUN useradd --uid 1000 admin && groupadd --gid 1001 others
USER 1000:1000
HEALTHCHECK NONE
