FROM debian:12
# finds command-not-json
ENTRYPOINT tini -- python3
# finds command-not-json
CMD ['python3']
