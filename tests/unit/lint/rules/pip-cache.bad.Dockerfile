FROM debian:12
# finds pip-cache
RUN pip install numpy==2.3.2
