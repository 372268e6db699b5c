FROM debian:12 AS build
# finds stage-name-taken
FROM debian:12 AS build
