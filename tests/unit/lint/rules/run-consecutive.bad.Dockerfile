FROM debian:12.11
RUN touch /a
# finds run-consecutive
RUN touch /b
# finds run-consecutive
RUN touch /c
WORKDIR /work
RUN --mount=type=cache,target=/cache touch /d
# finds run-consecutive
RUN --mount=type=cache,target=/cache touch /e
USER 1000:1000
HEALTHCHECK NONE
