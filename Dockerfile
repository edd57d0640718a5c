# The double and its scenario runner: `docker run mockcampaign` serves, `docker run mockcampaign run …` runs scenarios.
FROM python:3.13-slim AS build
WORKDIR /source
COPY . .
RUN python -m venv /mockcampaign && /mockcampaign/bin/pip install --no-cache-dir '.[all]'

FROM python:3.13-slim
COPY --from=build /mockcampaign /mockcampaign
RUN useradd --create-home --uid 10001 mockcampaign
USER 10001
WORKDIR /home/mockcampaign
ENV PATH=/mockcampaign/bin:$PATH PYTHONUNBUFFERED=1
EXPOSE 8080
# Of `serve` at its usual port; other commands end before anybody asks.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/__mockcampaign/health', timeout=2)"]
ENTRYPOINT ["mockcampaign"]
CMD ["serve", "--host", "0.0.0.0"]
