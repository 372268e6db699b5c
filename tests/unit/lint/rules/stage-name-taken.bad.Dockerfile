FROM debian:12 as build
# finds stage-name-taken
FROM debian:12 as build
