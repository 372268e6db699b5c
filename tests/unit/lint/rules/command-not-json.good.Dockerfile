FROM debian:12
ENTRYPOINT ["tini", "--", "python3"]
CMD ["train.py"]
