-- +goose Up

-- The sync modes that somebody was moved away from: a table of persons that still has one of them moves nobody back.
CREATE TABLE moved_from (
    tenant TEXT COLLATE "C" NOT NULL,
    person TEXT COLLATE "C" NOT NULL,
    mode   TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant, person, mode)
);

INSERT INTO moved_from (tenant, person, mode)
SELECT move.tenant, move.person, move.from_mode
FROM move JOIN person ON person.tenant = move.tenant AND person.id = move.person
WHERE move.state = 'done' AND NOT move.dry_run AND person.sync_mode = move.to_mode AND move.from_mode <> move.to_mode;

-- +goose Down
DROP TABLE moved_from;
