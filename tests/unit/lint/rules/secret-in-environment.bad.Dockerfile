FROM debian:12
# finds secret-in-environment
ARG GITHUB_TOKEN
# finds secret-in-environment
ENV WANDB_API_KEY=0123456789
# finds secret-in-environment
ENV DB_PASSWORD=$SOMETHING
# finds secret-in-environment
ENV HUB=hf_abcdefghijklmnopqrstuvwxyz
