-- What residents asked: repair, complaint or enquiry, in one object with one first-contact owner.

CREATE TABLE ticket (
    id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id int         NOT NULL REFERENCES community,
    number       text        NOT NULL UNIQUE,
    kind         text        NOT NULL CHECK (kind IN ('repair', 'complaint', 'enquiry')),
    channel      text        NOT NULL CHECK (channel IN ('page', 'phone', 'front_desk')),
    unit_id      int         NOT NULL REFERENCES unit,
    party_id     int         NOT NULL REFERENCES party,
    bill_id      bigint      REFERENCES bill,              -- "I disagree with this line"
    line         smallint,
    body         text        NOT NULL CHECK (body <> ''),
    owner_id     int         REFERENCES account,           -- whoever took it first follows it to the end
    opened_by    int         NOT NULL REFERENCES account,  -- the resident, or whoever took the call
    request_id   text,                                     -- the tap that opened it: repeated, it opens nothing
    opened_at    timestamptz NOT NULL,
    respond_by   timestamptz NOT NULL,                     -- first answer
    answered_at  timestamptz,
    closed_at    timestamptz,
    satisfaction smallint    CHECK (satisfaction BETWEEN 1 AND 5),
    FOREIGN KEY (bill_id, line) REFERENCES bill_line,
    UNIQUE (opened_by, request_id),
    CHECK (line IS NULL OR bill_id IS NOT NULL),
    CHECK (answered_at IS NULL OR owner_id IS NOT NULL),
    CHECK (closed_at IS NULL OR answered_at IS NOT NULL),
    CHECK (satisfaction IS NULL OR closed_at IS NOT NULL)
);
CREATE INDEX ticket_party ON ticket (party_id, opened_at DESC);
CREATE INDEX ticket_waiting ON ticket (community_id, respond_by) WHERE closed_at IS NULL;
CREATE INDEX ticket_closed ON ticket (community_id, closed_at) WHERE closed_at IS NOT NULL;

-- The conversation; an entry with an order says that work was opened for it.
CREATE TABLE ticket_entry (
    id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ticket_id  bigint      NOT NULL REFERENCES ticket,
    account_id int         NOT NULL REFERENCES account,
    at         timestamptz NOT NULL,
    text       text        NOT NULL CHECK (text <> ''),
    order_id   bigint      REFERENCES work_order,
    request_id text,                                       -- repeated, it says nothing twice
    UNIQUE (ticket_id, account_id, request_id)
);
CREATE INDEX ticket_entry_ticket ON ticket_entry (ticket_id, id);
CREATE INDEX ticket_entry_order ON ticket_entry (order_id) WHERE order_id IS NOT NULL;
CREATE TRIGGER ticket_entry_immutable BEFORE UPDATE OR DELETE ON ticket_entry
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER ticket_entry_untruncated BEFORE TRUNCATE ON ticket_entry
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
