FROM debian:12 AS one
RUN wget -q https://files.example/a
FROM debian:12
RUN curl --location --remote-name https://files.example/b
