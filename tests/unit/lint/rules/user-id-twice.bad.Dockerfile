FROM debian:12.11
# finds user-id-twice
RUN useradd --non-unique --uid 0 admin && true
# finds user-id-twice
RUN groupadd -o -g 0 admins && true
USER 1000:1000
HEALTHCHECK NONE
