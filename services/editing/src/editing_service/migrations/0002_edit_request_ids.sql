ALTER TABLE edit ADD COLUMN request_id uuid, ADD COLUMN request_sha256 bytea;
CREATE UNIQUE INDEX edit_request_id ON edit (project_id, stack_id, request_id) WHERE request_id IS NOT NULL;
