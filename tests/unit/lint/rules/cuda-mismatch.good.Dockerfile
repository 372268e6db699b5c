FROM nvidia/cuda:12.1.1-cudnn8-runtime-ubuntu22.04
RUN pip install --no-cache-dir torch==2.3.1 --index-url https://index.example/whl/cu121
FROM debian:12
RUN pip install --no-cache-dir torch==2.3.1 --index-url https://index.example/whl/cu118
