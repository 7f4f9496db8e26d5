-- +goose Up

-- Push subscriptions of which nothing is heard until something changes, and which do not end by the answer to a message.
ALTER TABLE mailbox ADD COLUMN quiet BOOLEAN NOT NULL DEFAULT FALSE;      -- the push subscription is such a one
ALTER TABLE subscription ADD COLUMN quiet BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE subscription ADD COLUMN url TEXT NOT NULL DEFAULT '';         -- where its messages go, without the token
ALTER TABLE subscription ADD COLUMN email TEXT NOT NULL DEFAULT '';       -- of the mailbox, as its server was asked
ALTER TABLE subscription ADD COLUMN mailbox_url TEXT NOT NULL DEFAULT '';

-- Those that live on at their server and that nobody wants any more.
CREATE TABLE leftover (
    tenant      TEXT COLLATE "C" NOT NULL,
    mode        TEXT NOT NULL,
    server_id   TEXT NOT NULL,
    person      TEXT COLLATE "C" NOT NULL,
    email       TEXT NOT NULL,
    mailbox_url TEXT NOT NULL,
    created     BIGINT NOT NULL,
    not_before  BIGINT NOT NULL,
    tries       BIGINT NOT NULL,
    PRIMARY KEY (tenant, mode, server_id)
);

CREATE INDEX leftover_due ON leftover (not_before);

-- +goose Down
DROP TABLE leftover;
ALTER TABLE subscription DROP COLUMN mailbox_url;
ALTER TABLE subscription DROP COLUMN email;
ALTER TABLE subscription DROP COLUMN url;
ALTER TABLE subscription DROP COLUMN quiet;
ALTER TABLE mailbox DROP COLUMN quiet;
