# An image's bill of materials (CycloneDX 1.6) as a file:
#   docker build -f deploy/docker/sbom.Dockerfile --build-arg IMAGE=andon-workers --output sbom .   # sbom/bom.cdx.json

ARG IMAGE=andon-workers
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS tool
COPY constraints.txt /constraints.txt
ARG PIP_INDEX_URL
RUN --mount=type=cache,target=/root/.cache/pip --mount=type=secret,id=pip,target=/etc/pip.conf \
    python -m venv --without-pip /opt/sbom \
    && pip --python /opt/sbom/bin/python install --constraint /constraints.txt cyclonedx-bom
COPY deploy/docker/sbom.py /opt/sbom/sbom.py

# It runs in the image itself, so it sees what a container sees.
# hadolint ignore=DL3006
FROM ${IMAGE} AS listed
ARG IMAGE
# hadolint ignore=DL3002
USER 0:0
COPY --from=tool /opt/sbom /opt/sbom
RUN /opt/sbom/bin/python /opt/sbom/sbom.py "$IMAGE" /bom.cdx.json

FROM scratch
COPY --from=listed /bom.cdx.json /
