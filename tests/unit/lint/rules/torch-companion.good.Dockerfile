FROM debian:12
RUN pip install --no-cache-dir torch==2.8.0 torchvision==0.23.0 torchaudio==2.8.0
RUN pip install --no-cache-dir torchvision==0.22.0
