-- Who answers for a key: its maker, or whoever answers for the key that it was made with. A key can do no more than that person may now.
ALTER TABLE api_key ADD COLUMN answerable_user_id text NOT NULL DEFAULT '';
WITH RECURSIVE answer (key_name, user_id) AS (
    SELECT 'projects/' || project_id || '/apiKeys/' || key_id, substr(creator, length('users/') + 1)
    FROM api_key WHERE creator LIKE 'users/%'
    UNION
    SELECT 'projects/' || made.project_id || '/apiKeys/' || made.key_id, answer.user_id
    FROM api_key AS made JOIN answer ON made.creator = answer.key_name
)
UPDATE api_key SET answerable_user_id = answer.user_id
FROM answer WHERE answer.key_name = 'projects/' || api_key.project_id || '/apiKeys/' || api_key.key_id;
ALTER TABLE api_key ALTER COLUMN answerable_user_id DROP DEFAULT;
CREATE INDEX api_key_by_answerable_user ON api_key (project_id, answerable_user_id) WHERE revoke_time IS NULL;
