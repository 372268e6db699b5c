FROM debian:12
RUN conda install --yes --name base numpy=2.3.2
RUN conda run -n base pip install --no-cache-dir torch==2.8.0
