-- +goose Up

-- How persons change from one sync mode to another; of each person the latest.
CREATE TABLE move (
    tenant    TEXT COLLATE "C" NOT NULL,
    person    TEXT COLLATE "C" NOT NULL,
    from_mode TEXT NOT NULL,
    to_mode   TEXT NOT NULL,
    to_url    TEXT NOT NULL,
    dry_run   BOOLEAN NOT NULL,
    lenient   BOOLEAN NOT NULL, -- goes on however many items are not found
    state     TEXT NOT NULL,
    reason    TEXT NOT NULL,
    remedy    TEXT NOT NULL,
    report    BYTEA,            -- JSON
    tries     BIGINT NOT NULL, -- failed in a row
    next_at   BIGINT NOT NULL,
    requested BIGINT NOT NULL,
    started   BIGINT NOT NULL,
    finished  BIGINT NOT NULL,
    PRIMARY KEY (tenant, person)
);

CREATE INDEX move_state ON move (tenant, state, person);

-- +goose Down
DROP TABLE move;
