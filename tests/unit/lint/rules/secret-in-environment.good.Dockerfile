FROM debian:12
ENV TOKENIZERS_PARALLELISM=false
ENV JUPYTER_TOKEN_FILE=/run/secrets/token
RUN --mount=type=secret,id=token cat /run/secrets/token > /dev/null
