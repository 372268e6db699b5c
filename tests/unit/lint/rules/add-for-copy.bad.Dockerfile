FROM debian:12
# finds add-for-copy
ADD train.py /app/train.py
# finds add-for-copy
ADD ["data", "/data/"]
