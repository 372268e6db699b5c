FROM debian:12
SHELL ["/bin/bash", "-c"]
RUN ln -s /opt/python /usr/local/bin/python
