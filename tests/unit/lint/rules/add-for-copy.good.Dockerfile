FROM debian:12
ADD data.tar.gz /data/
ADD https://files.example/data.bin /data/
COPY train.py /app/train.py
