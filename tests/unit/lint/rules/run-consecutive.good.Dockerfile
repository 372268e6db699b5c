FROM debian:12.11
RUN touch /a && touch /b
RUN touch /c
RUN --mount=type=cache,target=/cache touch /d
WORKDIR /work
RUN touch /e
USER 1000:1000
HEALTHCHECK NONE
