# escape=`
FROM debian:12
ONBUILD RUN echo `
  a
COPY <<-EOF /etc/greeting
	COPPY a /b
	EOF
