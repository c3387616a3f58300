# One image for every role; the command says which: api, scheduler, worker. docker-compose.yml puts them together.
FROM python:3.11-slim AS build
WORKDIR /src
RUN python -m venv /opt/allot
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY allocator allocator
COPY app app
COPY channels channels
RUN /opt/allot/bin/pip install --no-cache-dir --disable-pip-version-check -c constraints.txt '.[postgres]'

FROM python:3.11-slim
RUN useradd --system --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin allot
COPY --from=build /opt/allot /opt/allot
# Nothing is written beside the code: the root may be read-only.
ENV PATH=/opt/allot/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001
EXPOSE 8000
ENTRYPOINT ["allot"]
CMD ["api", "--host", "0.0.0.0"]
