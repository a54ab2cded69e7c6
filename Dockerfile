# The server and the worker, from this folder: `docker build -t rattache .`. `.ci/image.py` runs the same steps without
# a container engine.
FROM python:3.11-slim AS build
WORKDIR /source
COPY . /source
RUN pip wheel --quiet --no-deps --wheel-dir /wheels /source

FROM python:3.11-slim
COPY constraints.txt /etc/rattache/constraints.txt
COPY --from=build /wheels /wheels
RUN pip install --quiet --no-cache-dir -c /etc/rattache/constraints.txt /wheels/rattache-*.whl
RUN install -d -o 10001 -g 10001 -m 700 /data
USER 10001:10001
ENV DATA_DIR=/data LOG_FORMAT=json PYTHONUNBUFFERED=1
VOLUME /data
WORKDIR /data
EXPOSE 8000
HEALTHCHECK --start-period=30s CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/readyz', timeout=5)"]
CMD ["rattache", "serve", "--host", "0.0.0.0"]
