FROM debian:12
# finds torch-companion
RUN pip install --no-cache-dir torch==2.8.0 torchvision==0.22.0
