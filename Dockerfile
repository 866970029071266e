# syntax=docker/dockerfile:1
# The app and its workers in one image:  docker build --build-arg TORCH=cpu -t diet-explorer .
# TORCH=cuda takes torch with its CUDA libraries, as on PyPI; the machine needs NVIDIA's container toolkit.
ARG PYTHON=3.13

FROM python:${PYTHON}-slim-bookworm AS build
ARG TORCH=cpu
ARG EXTRAS=offline,s3,sign-in
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/diet-explorer
ENV PATH=/opt/diet-explorer/bin:$PATH
WORKDIR /build

# What changes seldom comes first. torch's CPU build is not on PyPI, so that no hash of it is known.
COPY constraints.txt ./
COPY requirements requirements
RUN case "$TORCH" in \
      cpu) pip install --no-deps --index-url https://download.pytorch.org/whl/cpu \
             "torch==$(sed -n 's/^torch==//p' constraints.txt)" ;; \
      cuda) pip install --no-deps --require-hashes -r requirements/torch.txt ;; \
      *) echo "TORCH must be cpu or cuda, not $TORCH" >&2; exit 2 ;; \
    esac; \
    pip install --no-deps --require-hashes -r requirements/app.txt

COPY pyproject.toml README.md CHANGELOG.md SECURITY.md LICENSE app.py ./
COPY .streamlit/config.toml .streamlit/config.toml
COPY pages pages
COPY sample_data sample_data
COPY docs docs
COPY diet_explorer diet_explorer
RUN pip install -c constraints.txt ".[$EXTRAS]"

FROM python:${PYTHON}-slim-bookworm
# torch's kernels for processors take OpenMP from the system
RUN apt-get update && apt-get install -y --no-install-recommends libgomp1=12.* \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --user-group --create-home diet \
    && install -d -o diet -g diet -m 0700 /workspace /scratch
COPY --from=build /opt/diet-explorer /opt/diet-explorer
ENV PATH=/opt/diet-explorer/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    DIET_EXPLORER_HOME=/workspace \
    DIET_EXPLORER_SCRATCH=/scratch \
    DIET_EXPLORER_LOG=json \
    DIET_EXPLORER_LOG_TO=stdout \
    HEALTH_URL=http://127.0.0.1:8501/healthz
USER 10001
WORKDIR /home/diet
VOLUME ["/workspace", "/scratch"]
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(os.environ['HEALTH_URL'], timeout=8)"]
ENTRYPOINT ["diet-explorer"]
CMD ["app"]
