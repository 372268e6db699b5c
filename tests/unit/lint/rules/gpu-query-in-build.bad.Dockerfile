# syntax=docker/dockerfile:1
FROM nvidia/cuda:12.6.3-runtime-ubuntu22.04
# finds gpu-query-in-build
RUN nvidia-smi
# finds gpu-query-in-build
RUN python3 -c "import torch; assert torch.cuda.is_available()"
# finds gpu-query-in-build
RUN bash -c 'echo start && nvidia-smi -L'
# finds gpu-query-in-build
RUN python3 <<EOF
import torch
print(torch.cuda.get_device_name(0))
EOF
