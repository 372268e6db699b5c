FROM debian:12
# finds driver-capabilities-missing
RUN pip install --no-cache-dir torch==2.8.0
