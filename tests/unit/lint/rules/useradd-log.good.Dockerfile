FROM debian:12
RUN useradd --no-log-init --uid 123456 kiln
RUN useradd -u 1000 kiln
