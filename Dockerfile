# The image serves an example block. To serve your own, write a Dockerfile that is based on it:
#
#   FROM vertexkit
#   COPY hello.py /app/
#   ENV VERTEXKIT_APP=hello:app
#
# If the block needs more packages, install them as root, who owns the environment:
#
#   USER root
#   RUN pip install --no-cache-dir numpy
#   USER vertexkit
#
# The container needs VERTEXKIT_PLATFORM_URL, and either VERTEXKIT_URL_SECRETS or, if a proxy in
# front of it checks callers, VERTEXKIT_ALLOW_ANONYMOUS=1.

ARG BASE_IMAGE=python:3.13-slim

FROM ${BASE_IMAGE} AS builder
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
COPY locks/image.txt locks/build.txt locks/
RUN python -m venv /opt/vertexkit \
    && /opt/vertexkit/bin/pip install --require-hashes -r locks/image.txt
# The tools that build the wheel are in an environment that is not copied to the second stage.
RUN python -m venv /opt/build \
    && /opt/build/bin/pip install --require-hashes -r locks/build.txt
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY vertexkit vertexkit
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /opt/wheels . \
    && /opt/vertexkit/bin/pip install --no-deps --no-index /opt/wheels/*.whl
# The bill of materials of the image: /opt/vertexkit/sbom.json, CycloneDX.
COPY locks/supply.txt locks/
RUN python -m venv /opt/supply \
    && /opt/supply/bin/pip install --require-hashes -r locks/supply.txt \
    && /opt/supply/bin/cyclonedx-py environment --output-reproducible \
        --output-file /opt/vertexkit/sbom.json /opt/vertexkit

FROM ${BASE_IMAGE}
# Folder of the journal: mount a volume at /app/.vertexkit to keep it when the container is replaced.
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
# A numeric user lets an orchestrator verify that it is not root.
USER 10001:10001
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 CMD ["vertexkit", "health"]
CMD ["vertexkit", "run"]
