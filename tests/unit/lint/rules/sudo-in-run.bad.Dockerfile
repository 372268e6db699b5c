FROM debian:12
# finds sudo-in-run
RUN sudo make install
