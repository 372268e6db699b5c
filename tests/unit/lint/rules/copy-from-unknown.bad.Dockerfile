FROM debian:12
# finds copy-from-unknown
COPY --from=build /a /b
