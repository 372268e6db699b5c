FROM debian:12
# finds syntax
COPPY a /b
# finds syntax
ONBUILD FROM debian:12
