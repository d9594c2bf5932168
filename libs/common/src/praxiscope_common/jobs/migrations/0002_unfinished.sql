-- Workers look every two seconds for operations of theirs that are not done and that no job stands for any more.
CREATE INDEX operation_unfinished ON operation (service) WHERE state IN ('queued', 'running', 'retrying');
