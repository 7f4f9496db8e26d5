-- +goose Up

-- What somebody's address was before: items go on naming him by it.
CREATE TABLE former_address (
    tenant    TEXT NOT NULL,
    email_key TEXT NOT NULL, -- folded, as in person
    person    TEXT NOT NULL,
    epoch     BIGINT NOT NULL, -- of the mailbox when it had this address last
    PRIMARY KEY (tenant, email_key)
);

CREATE INDEX former_address_person ON former_address (tenant, person);

-- +goose Down
DROP TABLE former_address;
