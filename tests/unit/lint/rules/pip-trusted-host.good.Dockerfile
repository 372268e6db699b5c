FROM debian:12
RUN pip install --no-cache-dir --cert /etc/ssl/certs/ca-certificates.crt numpy==2.3.2
