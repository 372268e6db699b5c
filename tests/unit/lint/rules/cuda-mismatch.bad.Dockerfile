FROM nvidia/cuda:12.1.1-cudnn8-runtime-ubuntu22.04
# finds cuda-mismatch
RUN pip install --no-cache-dir torch==2.3.1 --index-url https://index.example/whl/cu118
# finds cuda-mismatch
RUN pip install --no-cache-dir \
      # the vision models
      torchvision==0.18.1 \
      --extra-index-url=https://index.example/whl/cu118/
# finds cuda-mismatch
RUN pip install --no-cache-dir torch==2.3.1+cu118
# finds cuda-mismatch
RUN pip install --no-cache-dir torch==2.3.1 --index-url https://index.example/whl/cpu
