FROM debian:12 AS build
FROM debian:12
COPY --from=build /a /b
COPY --from=0 /a /b
COPY --from=debian:12 /a /b
