FROM debian:12
# finds shell-link
RUN ln -sf /bin/bash /bin/sh
