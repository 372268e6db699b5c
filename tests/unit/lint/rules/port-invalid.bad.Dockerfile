FROM debian:12
# finds port-invalid
EXPOSE 80000
