FROM debian:12
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# finds password-in-build
RUN echo 'kiln:kiln' | chpasswd
# finds password-in-build
RUN useradd kiln && passwd --delete kiln
