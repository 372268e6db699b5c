FROM debian:12
CMD ["a"]
# finds instruction-twice
CMD ["b"]
ENTRYPOINT ["a"]
# finds instruction-twice
ENTRYPOINT ["b"]
HEALTHCHECK CMD ["a"]
# finds instruction-twice
HEALTHCHECK NONE
