FROM pytorch/pytorch:2.8.0-cuda12.8-cudnn9-runtime
RUN pip install --no-cache-dir torch==2.8.0 torchmetrics==1.8.1
