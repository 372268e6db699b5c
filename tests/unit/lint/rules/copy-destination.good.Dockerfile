FROM debian:12
COPY a.py b.py /app/
COPY a.py /app
