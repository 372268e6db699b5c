FROM pytorch/pytorch:2.8.0-cuda12.8-cudnn9-runtime
RUN pip install --no-cache-dir torch==2.8.0 --index-url https://index.example/whl/cu126
RUN python3 -m pip install --no-cache-dir "torch==2.7.1+cu128"
ARG TORCH=2.4.1
RUN uv pip install torch==${TORCH} torch==${UNKNOWN}
