# The image runs the example blocks, or yours. Yours, in a Dockerfile of your own:
#
#   FROM vertexkit
#   COPY hello.py /app/
#   ENV VERTEXKIT_APP=hello:app
#
# More packages, if the block needs them (the environment belongs to root):
#
#   USER root
#   RUN pip install --no-cache-dir numpy
#   USER vertexkit
#
# It starts with VERTEXKIT_PLATFORM_URL set, and with VERTEXKIT_URL_SECRETS, or
# VERTEXKIT_ALLOW_ANONYMOUS=1 if something in front of it checks who calls.

ARG BASE_IMAGE=python:3.13-slim

FROM ${BASE_IMAGE} AS builder
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
COPY locks/run.txt locks/build.txt locks/
RUN python -m venv /opt/vertexkit \
    && /opt/vertexkit/bin/pip install --require-hashes -r locks/run.txt
# What builds the wheel stays in an environment that the second stage does not take.
RUN python -m venv /opt/build \
    && /opt/build/bin/pip install --require-hashes -r locks/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY vertexkit vertexkit
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /opt/wheels . \
    && /opt/vertexkit/bin/pip install --no-deps --no-index /opt/wheels/*.whl
# What is in it, for whoever has to know: /opt/vertexkit/sbom.json, in CycloneDX.
COPY locks/supply.txt locks/
RUN python -m venv /opt/supply \
    && /opt/supply/bin/pip install --require-hashes -r locks/supply.txt \
    && /opt/supply/bin/cyclonedx-py environment --output-reproducible \
        --output-file /opt/vertexkit/sbom.json /opt/vertexkit

FROM ${BASE_IMAGE}
# The journal's folder: mount a volume here to keep it across containers.
RUN groupadd --gid 10001 vertexkit \
    && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin vertexkit \
    && install --directory --owner=10001 --group=10001 /app/.vertexkit
COPY --from=builder /opt/vertexkit /opt/vertexkit
WORKDIR /app
COPY example_blocks example_blocks
ENV PATH=/opt/vertexkit/bin:$PATH \
    PYTHONUTF8=1 \
    PYTHONUNBUFFERED=1 \
    VERTEXKIT_HOST=0.0.0.0 \
    VERTEXKIT_PORT=8000 \
    VERTEXKIT_APP="example_blocks.loan:app"
EXPOSE 8000
# By number, so that an orchestrator can see that it is not root.
USER 10001:10001
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 CMD ["vertexkit", "health"]
CMD ["vertexkit", "run"]
