# The double and its checks: `docker run mockcampaign` serves; `check …`, `run …` and all other commands do as well.
FROM python:3.13-slim AS build
# What `serve`, `check` and `run` need. `--build-arg EXTRAS=all` adds `load`, `run --watch` and probes of databases.
ARG EXTRAS=check,server,tls
WORKDIR /source
COPY . .
RUN python -m venv --without-pip /mockcampaign \
    && pip --python /mockcampaign/bin/python install --no-cache-dir --disable-pip-version-check "/source[${EXTRAS}]"

FROM python:3.13-slim
COPY --from=build /mockcampaign /mockcampaign
RUN useradd --create-home --uid 10001 mockcampaign
USER 10001
WORKDIR /home/mockcampaign
# Everything is compiled, so the root file system may be read-only. In a container, loopback would reach nobody.
ENV PATH=/mockcampaign/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 MOCKCAMPAIGN_SERVE_HOST=0.0.0.0
EXPOSE 8080
# Of `serve` at its usual port; other commands end before anybody asks.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/__mockcampaign/health', timeout=2)"]
ENTRYPOINT ["mockcampaign"]
CMD ["serve"]
