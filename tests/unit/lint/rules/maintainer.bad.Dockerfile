FROM debian:12
# finds maintainer
MAINTAINER somebody@example.org
