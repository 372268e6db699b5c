# finds tag-latest
FROM debian AS one
# finds tag-latest
FROM python:latest AS two
# finds tag-latest
FROM localhost:5000/team/base
