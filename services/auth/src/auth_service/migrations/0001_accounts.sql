CREATE TABLE account (
    user_id text PRIMARY KEY,
    email text NOT NULL UNIQUE CHECK (email = lower(email)),
    display_name text NOT NULL DEFAULT '',
    password_hash text NOT NULL,
    is_administrator boolean NOT NULL DEFAULT false,
    is_barred boolean NOT NULL DEFAULT false,
    create_time timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE project (
    project_id text PRIMARY KEY,
    display_name text NOT NULL,
    creator text NOT NULL,
    request_id uuid,
    create_time timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX project_request_id ON project (creator, request_id) WHERE request_id IS NOT NULL;

CREATE TABLE member (
    project_id text NOT NULL REFERENCES project ON DELETE CASCADE,
    user_id text NOT NULL REFERENCES account ON DELETE CASCADE,
    roles text[] NOT NULL,
    create_time timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, user_id)
);
CREATE INDEX member_by_user ON member (user_id);

CREATE TABLE api_key (
    project_id text NOT NULL REFERENCES project ON DELETE CASCADE,
    key_id text NOT NULL,
    display_name text NOT NULL DEFAULT '',
    prefix text NOT NULL,
    secret_sha256 bytea NOT NULL UNIQUE,
    permissions text[] NOT NULL,
    creator text NOT NULL,
    create_time timestamptz NOT NULL DEFAULT now(),
    expire_time timestamptz NOT NULL,
    last_use_time timestamptz,
    revoke_time timestamptz,
    PRIMARY KEY (project_id, key_id)
);

-- A family of refresh tokens: one login, rotated until it ends.
CREATE TABLE session (
    session_id text PRIMARY KEY,
    user_id text NOT NULL REFERENCES account ON DELETE CASCADE,
    project_id text NOT NULL,
    create_time timestamptz NOT NULL DEFAULT now(),
    end_time timestamptz
);
CREATE INDEX session_by_user ON session (user_id) WHERE end_time IS NULL;

CREATE TABLE refresh_token (
    secret_sha256 bytea PRIMARY KEY,
    session_id text NOT NULL REFERENCES session ON DELETE CASCADE,
    expire_time timestamptz NOT NULL,
    use_time timestamptz
);

-- What services poll for; a row matters until the last token it covers has ended by itself.
CREATE TABLE revocation (
    revocation_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session_id text NOT NULL DEFAULT '',
    subject text NOT NULL DEFAULT '',
    project_id text NOT NULL DEFAULT '',
    issued_until timestamptz NOT NULL DEFAULT now(),
    expire_time timestamptz NOT NULL
);

CREATE TABLE failed_login (
    email text NOT NULL,
    address text NOT NULL,
    fail_time timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX failed_login_recent ON failed_login (email, address, fail_time);

CREATE TABLE audit_event (
    event_id text PRIMARY KEY,
    project_id text NOT NULL DEFAULT '',
    event_time timestamptz NOT NULL DEFAULT now(),
    subject text NOT NULL,
    action text NOT NULL,
    target text NOT NULL DEFAULT '',
    succeeded boolean NOT NULL,
    request_id text NOT NULL DEFAULT ''
);
CREATE INDEX audit_event_by_project ON audit_event (project_id, event_time DESC, event_id DESC);
