FROM debian:12 AS build
# finds copy-from-itself
COPY --from=build /a /b
