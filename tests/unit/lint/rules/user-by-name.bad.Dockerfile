FROM debian:12
# finds user-by-name
USER kiln
