FROM debian:12
RUN curl --fail --location https://files.example/a
ENV PYTHONHTTPSVERIFY=1
