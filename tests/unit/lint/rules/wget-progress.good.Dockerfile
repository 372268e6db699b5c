FROM debian:12
RUN wget --progress=dot:giga https://files.example/a
RUN wget -nv https://files.example/a
