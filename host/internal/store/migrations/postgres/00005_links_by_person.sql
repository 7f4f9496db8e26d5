-- +goose Up

-- The links of a person in the order in which they are read, page by page. Without it SQLite goes through everybody's.
CREATE INDEX link_person ON link (tenant, person, key);

-- Of indexes that serve alike SQLite takes the newest, and this one is nearly empty.
DROP INDEX link_gone;
CREATE INDEX link_gone ON link (tenant, person) WHERE gone_at > 0;

-- +goose Down
DROP INDEX link_person;
