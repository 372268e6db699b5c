# finds healthcheck-missing
FROM debian:12
CMD ["bash"]
