FROM debian:12
# finds certificates-unchecked
RUN curl -fsSLk https://files.example/a
# finds certificates-unchecked
ENV PYTHONHTTPSVERIFY=0
# finds certificates-unchecked
RUN GIT_SSL_NO_VERIFY=true git clone https://git.example/team/project
FROM debian:12
# finds certificates-unchecked
RUN wget -q --no-check-certificate https://files.example/a
