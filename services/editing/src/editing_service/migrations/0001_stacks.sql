CREATE TABLE edit_stack (
    project_id text NOT NULL,
    stack_id text NOT NULL,
    base_world text NOT NULL,
    base_count integer NOT NULL,
    display_name text NOT NULL,
    -- name, head_id, tip_id of each, in the order in which they were made
    branches jsonb NOT NULL,
    current_branch text NOT NULL,
    request_bytes bigint NOT NULL DEFAULT 0,
    revision bigint NOT NULL DEFAULT 1,
    creator text NOT NULL,
    request_id uuid,
    request_sha256 bytea NOT NULL,
    create_time timestamptz NOT NULL DEFAULT now(),
    update_time timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, stack_id)
);
CREATE UNIQUE INDEX edit_stack_request_id ON edit_stack (project_id, request_id) WHERE request_id IS NOT NULL;
CREATE INDEX edit_stack_by_time ON edit_stack (project_id, create_time DESC, stack_id DESC);

CREATE TABLE edit (
    project_id text NOT NULL,
    stack_id text NOT NULL,
    number integer NOT NULL,
    edit_id text NOT NULL,
    parent_id text NOT NULL,
    -- selection and operation, an ApplyEditRequest
    request bytea NOT NULL,
    summary text NOT NULL,
    selected_count integer NOT NULL,
    changed_count integer NOT NULL,
    removed_count integer NOT NULL,
    added_count integer NOT NULL,
    gaussian_count integer NOT NULL,
    row_count integer NOT NULL,
    -- the least and the largest of each coordinate; null where nothing changed
    bounds double precision[],
    consistency jsonb NOT NULL,
    elapsed_ms double precision NOT NULL,
    creator text NOT NULL,
    create_time timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, stack_id, edit_id),
    UNIQUE (project_id, stack_id, number),
    FOREIGN KEY (project_id, stack_id) REFERENCES edit_stack ON DELETE CASCADE
);
