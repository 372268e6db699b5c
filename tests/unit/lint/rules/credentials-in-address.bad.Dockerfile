FROM debian:12
# finds credentials-in-address
RUN pip install --no-cache-dir --index-url https://me:hunter2@index.example/simple numpy==2.3.2
# finds credentials-in-address
RUN git clone https://me:hunter2@git.example/team/project
