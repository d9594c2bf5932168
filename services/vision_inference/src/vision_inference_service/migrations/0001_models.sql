CREATE TABLE model (
    model_id text PRIMARY KEY,
    stable_version integer NOT NULL,
    -- what was stable before; a rollback of the stable version goes there
    previous_version integer,
    revision bigint NOT NULL DEFAULT 1
);

CREATE TABLE model_version (
    model_id text NOT NULL REFERENCES model,
    version integer NOT NULL,
    state text NOT NULL,
    traffic_percent integer NOT NULL DEFAULT 0 CHECK (traffic_percent BETWEEN 0 AND 100),
    memory_bytes bigint NOT NULL DEFAULT 0,
    message text NOT NULL DEFAULT '',
    request_count bigint NOT NULL DEFAULT 0,
    error_count bigint NOT NULL DEFAULT 0,
    latency_total_s double precision NOT NULL DEFAULT 0,
    latency_counts bigint[] NOT NULL,
    editor text NOT NULL,
    update_time timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (model_id, version)
);

-- who did what to a model; never changed
CREATE TABLE model_change (
    change_id text PRIMARY KEY,
    model_id text NOT NULL REFERENCES model,
    version integer,
    action text NOT NULL,
    detail text NOT NULL,
    editor text NOT NULL,
    request_id text NOT NULL,
    change_time timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX model_change_by_time ON model_change (model_id, change_time DESC, change_id DESC);
