FROM debian:12
# finds copy-destination
COPY a.py b.py /app
