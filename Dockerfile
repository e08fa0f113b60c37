# The worker's image: locked dependencies, one process, not root, nothing to write to.
#   docker build -t content-worker .
#   docker run --rm --read-only --cap-drop ALL --security-opt no-new-privileges -e GOOGLE_CLOUD_PROJECT=… content-worker
# For a build that can be repeated later, name the base by its digest:
#   docker build --build-arg PYTHON_IMAGE=python:3.13-slim@sha256:… -t content-worker .
# To have the commit written on it, which changes no layer: --build-arg REVISION="$(git rev-parse HEAD)"
ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS build
# Wheels only: a source distribution would fetch its build tools unlocked. Seed and epoch: equal input, equal files.
ENV PIP_NO_CACHE_DIR=1 \
    PIP_ONLY_BINARY=:all: \
    PIP_ROOT_USER_ACTION=ignore \
    PYTHONHASHSEED=0 \
    SOURCE_DATE_EPOCH=315532800
WORKDIR /build
COPY requirements/runtime.txt requirements/build.txt requirements/
# Of google-cloud-aiplatform only the stubs of API v1 are used; its SDKs and v1beta1 are a third of all files.
# Bytecode is compiled here, as the worker cannot write any: without it every start takes 3 s of CPU more.
# The lock is complete: nothing is resolved (--no-deps), and whether it is complete is checked.
RUN python -m venv --without-pip /opt/worker \
 && pip --python /opt/worker install --no-compile --no-deps --require-hashes -r requirements/runtime.txt \
 && pip --python /opt/worker check \
 && rm -r /opt/worker/lib/python3.*/site-packages/google/cloud/aiplatform \
          /opt/worker/lib/python3.*/site-packages/google/cloud/aiplatform_v1beta1 \
          /opt/worker/lib/python3.*/site-packages/agentplatform \
          /opt/worker/lib/python3.*/site-packages/vertexai \
 && /opt/worker/bin/python -B -c "import google.cloud.aiplatform_v1" \
 && python -m compileall -q --invalidation-mode unchecked-hash /opt/worker/lib \
 && pip install --no-deps --require-hashes -r requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY worker worker
COPY services services
# The code lies apart from what it depends on: it becomes a small layer of its own.
RUN pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
 && pip --python /opt/worker install --no-compile --no-deps --prefix /opt/code dist/*.whl \
 && python -m compileall -q --invalidation-mode unchecked-hash /opt/code

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="content-worker" \
      org.opencontainers.image.description="Turns students' questions from a queue into lesson scripts" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/worker /opt/worker
COPY --from=build /opt/code /opt/worker
ENV PATH=/opt/worker/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    WORKER_BACKEND=google
USER 10001:10001
ENTRYPOINT ["content-worker"]
CMD ["run"]
# Last, so that another commit is another label and nothing else.
ARG REVISION=""
LABEL org.opencontainers.image.revision="${REVISION}"
