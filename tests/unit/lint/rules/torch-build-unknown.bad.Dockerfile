# finds torch-build-unknown
FROM pytorch/pytorch:2.8.0-cuda12.1-cudnn9-runtime
# finds torch-build-unknown
RUN pip install --no-cache-dir torch==2.8.0 --index-url https://index.example/whl/cu121
# finds torch-build-unknown
RUN python3 -m pip install --no-cache-dir "torch==2.6.0+cu128"
ARG TORCH=2.4.7
# finds torch-build-unknown
RUN uv pip install torch==${TORCH}
