# finds user-missing
FROM debian:12
CMD ["bash"]
