FROM debian:12
# finds useradd-log
RUN useradd -u 123456 kiln
