FROM debian:12
RUN pip install --no-cache-dir numpy==2.3.2 "pandas>=2,<3"
RUN pip install --no-cache-dir -r requirements.txt
RUN pip install --no-cache-dir --target /opt ./project.whl
RUN pip install --no-cache-dir -e .
