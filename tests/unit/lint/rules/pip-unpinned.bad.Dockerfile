FROM debian:12
# finds pip-unpinned
RUN pip install --no-cache-dir numpy
# finds pip-unpinned
RUN pip3 --no-cache-dir install --upgrade pip
# finds pip-unpinned
RUN python3 -m pip install --no-cache-dir numpy==2.3.2 pandas
