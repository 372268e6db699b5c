FROM debian:12
RUN wget -q https://files.example/a
# finds wget-and-curl
RUN curl --location --remote-name https://files.example/b
