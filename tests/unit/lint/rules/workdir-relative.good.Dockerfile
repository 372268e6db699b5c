FROM debian:12
ENV HOME=/home/kiln
WORKDIR ${HOME}/app
WORKDIR "/app"
