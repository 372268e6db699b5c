FROM debian:12
# finds pip-trusted-host
RUN pip install --no-cache-dir --trusted-host index.example numpy==2.3.2
# finds pip-trusted-host
ENV PIP_TRUSTED_HOST=index.example
