FROM nvidia/cuda:12.8.1-base-ubuntu22.04
RUN pip install --no-cache-dir torch==2.8.0
FROM nvidia/cuda:12.1.1-base-ubuntu22.04
RUN pip install --no-cache-dir torch==2.3.1 --index-url https://index.example/whl/cu121
FROM nvidia/cuda:12.1.1-base-ubuntu22.04
RUN pip install --no-cache-dir --require-hashes -r requirements.txt torch==2.8.0
FROM debian:12
RUN pip install --no-cache-dir torch==2.8.0
