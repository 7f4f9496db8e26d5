-- +goose Up

-- Of a dead link: its item was its booking's until its person was removed. What is said is who is told should the item go: 'told', those
-- invited; 'silent', nobody. Empty: of any other link.
ALTER TABLE link ADD COLUMN orphan TEXT NOT NULL DEFAULT '';
-- Who that person was; the link may be somebody else's by now.
ALTER TABLE link ADD COLUMN orphan_of TEXT NOT NULL DEFAULT '';
CREATE INDEX link_orphan ON link (tenant, person, key) WHERE orphan <> '';

-- Nobody knows how the mailboxes of those were reached who are removed already: should they be back, no reference is relied on.
UPDATE link SET epoch = -1
WHERE state = 'dead' AND NOT EXISTS (SELECT 1 FROM person WHERE person.tenant = link.tenant AND person.id = link.person);

-- How the mailbox of a removed person was reached, whose links wait for whoever has that mailbox next.
CREATE TABLE former_mailbox (
    tenant    TEXT NOT NULL,
    person    TEXT NOT NULL,
    email_key TEXT NOT NULL, -- folded, as in person
    sync_mode TEXT NOT NULL,
    sync_url  TEXT NOT NULL,
    epoch     BIGINT NOT NULL, -- of the mailbox at the end
    PRIMARY KEY (tenant, person)
);

CREATE INDEX former_mailbox_email ON former_mailbox (tenant, email_key);

-- +goose Down
DROP TABLE former_mailbox;
DROP INDEX link_orphan;
ALTER TABLE link DROP COLUMN orphan_of;
ALTER TABLE link DROP COLUMN orphan;
