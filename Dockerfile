# One image for every Crewsight process; the command names which.
#   docker build -t crewsight:0.1.0 .
#   docker build -t crewsight:0.1.0-gpu --build-arg FAISS=gpu --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu128 .
# Pin the base further by its digest (`docker buildx imagetools inspect`) where images have to be the same for years.
ARG PYTHON=3.11.13-slim-bookworm

FROM python:${PYTHON} AS build
ARG FAISS=cpu
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN python -m venv /opt/crewsight
ENV PATH=/opt/crewsight/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# Of one index, so that the two are of one build; a layer of its own, as it is large and seldom changes.
RUN pip install --index-url "${TORCH_INDEX}" torch torchvision
WORKDIR /src
COPY pyproject.toml README.md LICENSE crewsight.py ./
COPY streamer streamer
COPY model model
COPY trainer trainer
COPY consumers consumers
COPY operations operations
COPY household household
RUN pip install ".[${FAISS},postgres,s3]" "transformers[serving]" && pip uninstall --yes pip

FROM python:${PYTHON}
RUN useradd --uid 1000 --user-group --no-create-home --home-dir /var/lib/crewsight crewsight \
 && install -d -o crewsight -g crewsight /var/lib/crewsight /var/lib/crewsight-desk
COPY --from=build /opt/crewsight /opt/crewsight
# The root may be read-only: whatever libraries keep goes to /tmp, and no model is fetched by the way.
ENV PATH=/opt/crewsight/bin:$PATH \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    MPLCONFIGDIR=/tmp/matplotlib YOLO_CONFIG_DIR=/tmp XDG_CACHE_HOME=/tmp/cache \
    HF_HUB_OFFLINE=1 YOLO_OFFLINE=1
USER 1000:1000
WORKDIR /var/lib/crewsight
ENTRYPOINT ["crewsight"]
CMD ["--help"]
