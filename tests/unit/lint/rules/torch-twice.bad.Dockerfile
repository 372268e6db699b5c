FROM pytorch/pytorch:2.8.0-cuda12.8-cudnn9-runtime
# finds torch-twice
RUN pip install --no-cache-dir torch==2.7.1
