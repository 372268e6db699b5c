FROM debian:12
# finds copy-relative
COPY train.py app/
