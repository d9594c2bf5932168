CREATE TABLE asset (
    project_id text NOT NULL,
    asset_id text NOT NULL,
    kind text NOT NULL,
    display_name text NOT NULL,
    labels jsonb NOT NULL DEFAULT '{}',
    creator text NOT NULL,
    latest_version integer NOT NULL DEFAULT 0,
    size_bytes bigint NOT NULL DEFAULT 0,
    revision bigint NOT NULL DEFAULT 1,
    create_time timestamptz NOT NULL DEFAULT now(),
    update_time timestamptz NOT NULL DEFAULT now(),
    delete_time timestamptz,
    purge_time timestamptz,
    PRIMARY KEY (project_id, asset_id)
);
CREATE INDEX asset_by_time ON asset (project_id, create_time DESC, asset_id DESC);
CREATE INDEX asset_to_purge ON asset (purge_time) WHERE purge_time IS NOT NULL;

CREATE TABLE asset_version (
    project_id text NOT NULL,
    asset_id text NOT NULL,
    version integer NOT NULL,
    creator text NOT NULL,
    operation text NOT NULL DEFAULT '',
    request_id uuid,
    request_sha256 bytea,
    create_time timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, asset_id, version),
    FOREIGN KEY (project_id, asset_id) REFERENCES asset ON DELETE CASCADE
);
CREATE UNIQUE INDEX asset_version_request_id ON asset_version (project_id, request_id) WHERE request_id IS NOT NULL;

CREATE TABLE asset_file (
    project_id text NOT NULL,
    asset_id text NOT NULL,
    version integer NOT NULL,
    path text NOT NULL,
    content_type text NOT NULL,
    size_bytes bigint NOT NULL,
    sha256 text NOT NULL,
    object_key text NOT NULL,
    PRIMARY KEY (project_id, asset_id, version, path),
    FOREIGN KEY (project_id, asset_id, version) REFERENCES asset_version ON DELETE CASCADE
);

-- What a version was made from. A source may be purged; that it was the source stays known.
CREATE TABLE asset_source (
    project_id text NOT NULL,
    asset_id text NOT NULL,
    version integer NOT NULL,
    source text NOT NULL,
    PRIMARY KEY (project_id, asset_id, version, source),
    FOREIGN KEY (project_id, asset_id, version) REFERENCES asset_version ON DELETE CASCADE
);
CREATE INDEX asset_source_by_source ON asset_source (project_id, source);

CREATE TABLE upload (
    project_id text NOT NULL,
    upload_id text NOT NULL,
    kind text NOT NULL,
    file_name text NOT NULL,
    display_name text NOT NULL,
    content_type text NOT NULL,
    size_bytes bigint NOT NULL,
    sha256 text NOT NULL,
    part_size_bytes bigint NOT NULL,
    asset_id text NOT NULL,
    is_new_asset boolean NOT NULL,
    creator text NOT NULL,
    request_id uuid,
    request_sha256 bytea NOT NULL,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'completed', 'ended')),
    version integer,
    create_time timestamptz NOT NULL DEFAULT now(),
    expire_time timestamptz NOT NULL,
    PRIMARY KEY (project_id, upload_id)
);
CREATE UNIQUE INDEX upload_request_id ON upload (project_id, request_id) WHERE request_id IS NOT NULL;
CREATE INDEX upload_to_end ON upload (expire_time) WHERE state = 'open';
