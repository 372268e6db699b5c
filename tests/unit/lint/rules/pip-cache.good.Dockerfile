FROM debian:12
RUN pip install --no-cache-dir numpy==2.3.2
RUN --mount=type=cache,target=/root/.cache/pip pip install numpy==2.3.2
ENV PIP_NO_CACHE_DIR=1
RUN pip install numpy==2.3.2
