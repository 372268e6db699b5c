FROM debian:12
COPY train.py /app/
WORKDIR /app
COPY train.py .
