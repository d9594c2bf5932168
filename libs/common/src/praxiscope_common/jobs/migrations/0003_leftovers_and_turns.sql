-- What an operation wrote on the way lies in the object store until it is over for good.
ALTER TABLE operation ADD COLUMN are_leftovers_gone boolean NOT NULL DEFAULT false;
CREATE INDEX operation_with_leftovers ON operation (end_time) WHERE end_time IS NOT NULL AND NOT are_leftovers_gone;
-- Asked at every new operation: how much its project has in hand already.
CREATE INDEX operation_unfinished_of_project ON operation (service, project_id) WHERE state IN ('queued', 'running', 'retrying');
