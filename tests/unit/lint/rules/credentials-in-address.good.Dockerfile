FROM debian:12
RUN pip install --no-cache-dir --index-url https://index.example/simple numpy==2.3.2
RUN git clone https://git@git.example/team/project@2
