-- +goose Up

-- Series in a person's calendar that bear the marker of another one: split off it there ("this and following"), or mere copies.
CREATE TABLE split (
    tenant  TEXT NOT NULL,
    person  TEXT NOT NULL,
    ref     TEXT NOT NULL, -- of the item
    key     TEXT NOT NULL, -- of the link whose marker it bears
    version BIGINT NOT NULL, -- of that link's booking when the item was looked at last; 0: not yet
    at      BIGINT NOT NULL, -- when it was met
    PRIMARY KEY (tenant, person, ref)
);

-- +goose Down
DROP TABLE split;
