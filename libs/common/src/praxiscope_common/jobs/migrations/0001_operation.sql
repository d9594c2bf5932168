-- Operations of every service. The job that works on one is in procrastinate's tables, in this schema too.
CREATE TABLE operation (
    operation_id text PRIMARY KEY,
    project_id text NOT NULL,
    service text NOT NULL,
    method text NOT NULL,
    target text NOT NULL,
    creator text NOT NULL,
    permissions text[] NOT NULL,
    parent_operation_id text REFERENCES operation (operation_id) ON DELETE SET NULL,
    request bytea NOT NULL,
    request_id uuid,
    request_sha256 bytea NOT NULL,
    priority integer NOT NULL,
    state text NOT NULL CHECK (state IN ('queued', 'running', 'retrying', 'succeeded', 'failed', 'cancelled')),
    cancel_requested boolean NOT NULL DEFAULT false,
    progress double precision NOT NULL DEFAULT 0,
    stages jsonb NOT NULL DEFAULT '[]',
    message text NOT NULL DEFAULT '',
    checkpoint jsonb NOT NULL DEFAULT '{}',
    attempt_count integer NOT NULL DEFAULT 0,
    max_attempts integer NOT NULL,
    response bytea,
    error bytea,
    traceparent text NOT NULL DEFAULT '',
    create_time timestamptz NOT NULL DEFAULT now(),
    start_time timestamptz,
    end_time timestamptz,
    update_time timestamptz NOT NULL DEFAULT now(),
    job_id bigint
);
CREATE UNIQUE INDEX operation_request_id ON operation (project_id, method, request_id) WHERE request_id IS NOT NULL;
CREATE INDEX operation_by_project ON operation (project_id, create_time DESC, operation_id DESC);
CREATE INDEX operation_by_parent ON operation (parent_operation_id) WHERE parent_operation_id IS NOT NULL;

-- Watchers and workers hear of every change; what changed they read from the row.
CREATE FUNCTION notify_operation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('praxiscope_operation', NEW.operation_id);
    RETURN NULL;
END;
$$;
CREATE TRIGGER operation_changed AFTER INSERT OR UPDATE ON operation FOR EACH ROW EXECUTE FUNCTION notify_operation();
