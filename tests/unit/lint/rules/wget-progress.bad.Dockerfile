FROM debian:12
# finds wget-progress
RUN wget https://files.example/a
