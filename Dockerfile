# One image for every Crewsight process; the command names which.
FROM python:3.11-slim

RUN useradd --create-home --uid 1000 crewsight \
 && install -d -o crewsight -g crewsight /var/lib/crewsight
WORKDIR /opt/crewsight
COPY pyproject.toml README.md LICENSE crewsight.py ./
COPY streamer streamer
COPY model model
COPY trainer trainer
COPY consumers consumers
COPY operations operations
COPY household household
RUN pip install --no-cache-dir '.[cpu,postgres]'

USER crewsight
WORKDIR /var/lib/crewsight
ENTRYPOINT ["crewsight"]
CMD ["--help"]
