-- Charge items, bills, ledger, payments. Money is integer fen; a correction is a new row.

CREATE TABLE charge_item (
    id             int   GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id   int   NOT NULL REFERENCES community,
    code           text  NOT NULL,
    name_zh        text  NOT NULL,
    name_en        text  NOT NULL,
    basis          text  NOT NULL CHECK (basis IN ('area', 'unit', 'parking_space', 'metered')),
    price_fen      numeric(14, 4) NOT NULL CHECK (price_fen >= 0),   -- per m², unit, space, or metered unit; a month
    measure        text  NOT NULL DEFAULT '',                        -- metered unit: m³, kWh
    grade          text  NOT NULL DEFAULT '',
    contract       text  NOT NULL,                                   -- contract or price-list reference
    standards      jsonb NOT NULL DEFAULT '[]',    -- [{kind, asset_class, times, per: "asset"|"scope", name: {zh,en}, credit_fen}]
    composition    jsonb NOT NULL DEFAULT '[]',    -- [{name: {zh,en}, percent}] summing to 100
    from_date      date  NOT NULL,
    to_date        date,
    position       int   NOT NULL DEFAULT 0,
    UNIQUE (community_id, code, from_date)
);

CREATE TABLE parking_space (
    id           int  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id int  NOT NULL REFERENCES community,
    unit_id      int  NOT NULL REFERENCES unit,
    code         text NOT NULL,
    from_date    date NOT NULL,
    to_date      date,
    UNIQUE (community_id, code, from_date)
);

CREATE TABLE meter (
    id           int  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id int  NOT NULL REFERENCES community,
    unit_id      int  NOT NULL REFERENCES unit,
    charge_item  text NOT NULL,                    -- charge_item.code
    code         text NOT NULL,
    UNIQUE (community_id, code)
);
CREATE INDEX meter_unit ON meter (unit_id);
-- The register at the end of a period (first day of the month).
CREATE TABLE meter_reading (
    meter_id int  NOT NULL REFERENCES meter,
    period   date NOT NULL CHECK (extract(day FROM period) = 1),
    register numeric(14, 3) NOT NULL CHECK (register >= 0),
    PRIMARY KEY (meter_id, period)
);

-- What stood behind one charge item for one set of units in one period, as found when the bills were issued.
CREATE TABLE evidence (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id   int    NOT NULL REFERENCES community,
    charge_item_id int    NOT NULL REFERENCES charge_item,
    building_id    int    REFERENCES building,
    period         date   NOT NULL,
    promised       int    NOT NULL,
    delivered      int    NOT NULL,
    standards      jsonb  NOT NULL,   -- [{kind, asset_class, name, promised, delivered, records: [record ids]}]
    digest         text   NOT NULL UNIQUE   -- the same findings are kept once
);

CREATE TABLE bill (
    id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id int         NOT NULL REFERENCES community,
    number       text        NOT NULL,                -- 2026-10-{community}-{unit}
    unit_id      int         NOT NULL REFERENCES unit,
    party_id     int         NOT NULL REFERENCES party,
    party_name   text        NOT NULL,
    period       date        NOT NULL CHECK (extract(day FROM period) = 1),
    revision     smallint    NOT NULL DEFAULT 1 CHECK (revision > 0),  -- 2: issued again after the first was voided
    total_fen    bigint      NOT NULL,
    issued_at    timestamptz NOT NULL,
    due_on       date        NOT NULL,
    voids        bigint      REFERENCES bill,         -- this row is the credit note that voids that bill
    CHECK (total_fen >= 0 OR voids IS NOT NULL),
    UNIQUE (community_id, number)
);
-- One bill per unit, period and revision, whoever races; a credit note is a row of its own.
CREATE UNIQUE INDEX bill_once ON bill (community_id, unit_id, period, revision) WHERE voids IS NULL;
CREATE UNIQUE INDEX bill_voided_once ON bill (voids) WHERE voids IS NOT NULL;
CREATE INDEX bill_unit ON bill (unit_id, period);
CREATE INDEX bill_number ON bill (number);
CREATE INDEX bill_party ON bill (party_id, period);

CREATE TABLE bill_line (
    bill_id        bigint   NOT NULL REFERENCES bill,
    position       smallint NOT NULL,
    charge_item_id int      NOT NULL REFERENCES charge_item,
    name_zh        text     NOT NULL,
    name_en        text     NOT NULL,
    basis          text     NOT NULL CHECK (basis IN ('area', 'unit', 'parking_space', 'metered', 'credit')),
    ref            text     NOT NULL DEFAULT '',        -- the meter's code; a credit's kind of work and asset class
    quantity       numeric(14, 3) NOT NULL,
    measure        text     NOT NULL DEFAULT '',
    price_fen      numeric(14, 4) NOT NULL,
    amount_fen     bigint   NOT NULL,
    previous_fen   bigint,                              -- the same line a month before
    grade          text     NOT NULL DEFAULT '',
    contract       text     NOT NULL,
    composition    jsonb    NOT NULL DEFAULT '[]',
    evidence_id    bigint   REFERENCES evidence,
    note_zh        text     NOT NULL DEFAULT '',
    note_en        text     NOT NULL DEFAULT '',
    PRIMARY KEY (bill_id, position)
);

-- The lines of a bill sum to its total: after every insert of lines, and once more when the bill commits.
-- (Functions that check run with enable_seqscan off: their plans are kept from when the tables were empty.)
CREATE FUNCTION bill_lines_sum_to_total() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE wrong text;
BEGIN
    SELECT bill.number INTO wrong
      FROM (SELECT DISTINCT bill_id FROM added) AS touched
      JOIN bill ON bill.id = touched.bill_id
     CROSS JOIN LATERAL (SELECT sum(amount_fen) AS fen FROM bill_line WHERE bill_id = touched.bill_id) AS lines
     WHERE lines.fen <> bill.total_fen
     LIMIT 1;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'the lines of bill % do not sum to its total', wrong USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER bill_line_sum AFTER INSERT ON bill_line REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION bill_lines_sum_to_total();

CREATE FUNCTION bill_is_whole() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
    IF NEW.total_fen IS DISTINCT FROM (SELECT sum(amount_fen) FROM bill_line WHERE bill_id = NEW.id) THEN
        RAISE EXCEPTION 'bill % has no lines that sum to its total', NEW.number USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.voids IS NULL AND NEW.revision > 1 AND NOT EXISTS (
        SELECT FROM bill AS earlier JOIN bill AS note ON note.voids = earlier.id
         WHERE earlier.community_id = NEW.community_id AND earlier.unit_id = NEW.unit_id
           AND earlier.period = NEW.period AND earlier.revision = NEW.revision - 1 AND earlier.voids IS NULL)
    THEN
        RAISE EXCEPTION 'bill % would stand beside a bill that is not void', NEW.number
              USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER bill_whole AFTER INSERT ON bill DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION bill_is_whole();

CREATE TABLE ledger_account (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id int    NOT NULL REFERENCES community,
    kind         text   NOT NULL CHECK (kind IN ('receivable', 'income', 'cash', 'prepayment', 'discount',
                        'voucher_liability', 'public_revenue', 'maintenance_fund')),
    ref          text   NOT NULL,          -- unit code, charge item code, channel
    UNIQUE (community_id, kind, ref)
);

CREATE TABLE ledger_transaction (
    id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id int         NOT NULL REFERENCES community,
    kind         text        NOT NULL CHECK (kind IN ('bill', 'payment', 'prepayment', 'credit_note', 'reversal')),
    ref          text        NOT NULL,     -- bill number, receipt number, credit note number
    at           timestamptz NOT NULL,
    UNIQUE (community_id, kind, ref)
);

-- Signed: debit positive, credit negative. The entries of a transaction sum to zero.
CREATE TABLE ledger_entry (
    transaction_id bigint   NOT NULL REFERENCES ledger_transaction,
    position       smallint NOT NULL,
    account_id     bigint   NOT NULL REFERENCES ledger_account,
    amount_fen     bigint   NOT NULL,
    PRIMARY KEY (transaction_id, position)
);
CREATE INDEX ledger_entry_account ON ledger_entry (account_id);

CREATE FUNCTION ledger_sums_to_zero() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE wrong bigint;
BEGIN
    SELECT touched.transaction_id INTO wrong
      FROM (SELECT DISTINCT transaction_id FROM added) AS touched
     CROSS JOIN LATERAL (SELECT sum(amount_fen) AS fen FROM ledger_entry
                          WHERE transaction_id = touched.transaction_id) AS entries
     WHERE entries.fen <> 0
     LIMIT 1;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'the entries of ledger transaction % do not sum to zero', wrong
              USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER ledger_entry_sum AFTER INSERT ON ledger_entry REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_sums_to_zero();

CREATE FUNCTION ledger_transaction_has_entries() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM ledger_entry WHERE transaction_id = NEW.id) THEN
        RAISE EXCEPTION 'ledger transaction % has no entries', NEW.ref USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER ledger_transaction_whole AFTER INSERT ON ledger_transaction
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_transaction_has_entries();

CREATE TABLE payment (
    id             bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id   int         NOT NULL REFERENCES community,
    channel        text        NOT NULL,            -- kiosk:{community}:{device code}, cashier, …
    transaction_id text        NOT NULL CHECK (length(transaction_id) BETWEEN 1 AND 100),
    unit_id        int         NOT NULL REFERENCES unit,
    bill_id        bigint      NOT NULL REFERENCES bill,
    amount_fen     bigint      NOT NULL CHECK (amount_fen > 0),
    method         text        NOT NULL CHECK (method IN ('cash', 'card', 'wechat', 'alipay')),
    paid_at        timestamptz NOT NULL,
    recorded_at    timestamptz NOT NULL,
    body           text        NOT NULL,            -- canonical JSON as signed
    receipt_no     text        NOT NULL UNIQUE,
    receipt        text        NOT NULL,            -- as it was given; a repeat gets it again, word for word
    UNIQUE (channel, transaction_id)
);
CREATE INDEX payment_unit ON payment (unit_id, id);
CREATE INDEX payment_bill ON payment (bill_id);

-- What of a payment went to which bill; what is not allocated is the unit's prepayment.
CREATE TABLE allocation (
    id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    payment_id bigint      NOT NULL REFERENCES payment,
    bill_id    bigint      NOT NULL REFERENCES bill,
    amount_fen bigint      NOT NULL CHECK (amount_fen <> 0),
    at         timestamptz NOT NULL,
    reverses   bigint      UNIQUE REFERENCES allocation,   -- reversed, never edited: when its bill was voided
    CHECK ((amount_fen < 0) = (reverses IS NOT NULL))
);
CREATE UNIQUE INDEX allocation_once ON allocation (payment_id, bill_id) WHERE reverses IS NULL;
CREATE INDEX allocation_bill ON allocation (bill_id);

-- A payment is given out at most once, a bill is paid at most once, whoever races: the rows are locked first.
CREATE FUNCTION allocation_stays_within() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE wrong text;
BEGIN
    PERFORM FROM bill WHERE id IN (SELECT bill_id FROM added) ORDER BY id FOR NO KEY UPDATE;
    PERFORM FROM payment WHERE id IN (SELECT payment_id FROM added) ORDER BY id FOR NO KEY UPDATE;
    SELECT payment.receipt_no INTO wrong
      FROM (SELECT DISTINCT payment_id FROM added) AS touched
      JOIN payment ON payment.id = touched.payment_id
     CROSS JOIN LATERAL (SELECT sum(amount_fen) AS fen FROM allocation WHERE payment_id = payment.id) AS given
     WHERE given.fen NOT BETWEEN 0 AND payment.amount_fen
     LIMIT 1;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'payment % would be allocated more than once', wrong USING ERRCODE = 'check_violation';
    END IF;
    SELECT bill.number INTO wrong
      FROM (SELECT DISTINCT bill_id FROM added) AS touched
      JOIN bill ON bill.id = touched.bill_id
     CROSS JOIN LATERAL (SELECT sum(amount_fen) AS fen FROM allocation WHERE bill_id = bill.id) AS given
     WHERE given.fen NOT BETWEEN 0 AND bill.total_fen
        OR given.fen > 0 AND EXISTS (SELECT FROM bill AS note WHERE note.voids = bill.id)
     LIMIT 1;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'bill % would be paid beyond its total', wrong USING ERRCODE = 'check_violation';
    END IF;
    SELECT bill.number INTO wrong
      FROM added
      JOIN allocation AS original ON original.id = added.reverses
      JOIN bill ON bill.id = added.bill_id
     WHERE (original.payment_id, original.bill_id, -original.amount_fen)
           <> (added.payment_id, added.bill_id, added.amount_fen)
     LIMIT 1;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'a reversal on bill % does not mirror its allocation', wrong
              USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER allocation_within AFTER INSERT ON allocation REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION allocation_stays_within();

-- Money we did not take, and why; kept, and shown to finance.
CREATE TABLE payment_refusal (
    id             bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id   int         NOT NULL REFERENCES community,
    channel        text        NOT NULL,
    transaction_id text        NOT NULL,
    reason         text        NOT NULL,            -- code, e.g. unknown_bill
    detail         text        NOT NULL,
    signed         boolean     NOT NULL,            -- the signature was right: this answer binds
    body           text        NOT NULL,
    receipt        text        NOT NULL,            -- the refusal as it was sent
    digest         bytea       NOT NULL UNIQUE,     -- sha256 of channel, transaction, reason, body, signature
    recorded_at    timestamptz NOT NULL
);
CREATE INDEX payment_refusal_transaction ON payment_refusal (channel, left(transaction_id, 100));

-- Paid-ness is derived. surplus_fen: paid on this bill beyond what it needed.
CREATE VIEW bill_state AS
SELECT bill.*,
       (SELECT coalesce(sum(amount_fen), 0)::bigint FROM allocation WHERE bill_id = bill.id) AS allocated_fen,
       (SELECT note.number FROM bill AS note WHERE note.voids = bill.id) AS voided_by,
       (SELECT coalesce(sum(payment.amount_fen - coalesce(allocation.amount_fen, 0)), 0)::bigint
          FROM payment
          LEFT JOIN allocation ON allocation.payment_id = payment.id AND allocation.bill_id = bill.id
                              AND allocation.reverses IS NULL
         WHERE payment.bill_id = bill.id) AS surplus_fen
  FROM bill;

-- What of a unit's payments is not allocated yet.
CREATE VIEW prepaid AS
SELECT payment.id AS payment_id, payment.community_id, payment.unit_id,
       (payment.amount_fen - coalesce(given.fen, 0))::bigint AS fen
  FROM payment
  LEFT JOIN LATERAL (SELECT sum(amount_fen) AS fen FROM allocation WHERE payment_id = payment.id) AS given ON true
 WHERE payment.amount_fen > coalesce(given.fen, 0);

CREATE VIEW ledger_balance AS
SELECT account.id, account.community_id, account.kind, account.ref,
       coalesce(sum(entry.amount_fen), 0)::bigint AS fen
  FROM ledger_account AS account
  LEFT JOIN ledger_entry AS entry ON entry.account_id = account.id
 GROUP BY account.id;

-- Everything that does not fit: `clerestory ledger check` reads it; it is empty.
CREATE VIEW ledger_discrepancy AS
SELECT 'transaction_sum' AS finding, t.community_id, t.kind || ' ' || t.ref AS subject,
       0::bigint AS expected_fen, sum(entry.amount_fen)::bigint AS found_fen
  FROM ledger_transaction AS t JOIN ledger_entry AS entry ON entry.transaction_id = t.id
 GROUP BY t.id HAVING sum(entry.amount_fen) <> 0
UNION ALL
SELECT 'transaction_empty', t.community_id, t.kind || ' ' || t.ref, NULL, NULL
  FROM ledger_transaction AS t
 WHERE NOT EXISTS (SELECT FROM ledger_entry WHERE transaction_id = t.id)
UNION ALL
SELECT 'community_sum', community_id, '', 0, sum(fen)::bigint
  FROM ledger_balance GROUP BY community_id HAVING sum(fen) <> 0
UNION ALL
SELECT 'foreign_account', t.community_id, t.kind || ' ' || t.ref, NULL, entry.amount_fen
  FROM ledger_entry AS entry
  JOIN ledger_transaction AS t ON t.id = entry.transaction_id
  JOIN ledger_account AS account ON account.id = entry.account_id
 WHERE account.community_id <> t.community_id
UNION ALL
SELECT 'receivable', community_id, ref, coalesce(expected.fen, 0), coalesce(found.fen, 0)
  FROM (SELECT unit.community_id, unit.code AS ref, (coalesce(billed.fen, 0) - coalesce(paid.fen, 0))::bigint AS fen
          FROM unit
          LEFT JOIN (SELECT unit_id, sum(total_fen) AS fen FROM bill GROUP BY unit_id) AS billed
                 ON billed.unit_id = unit.id
          LEFT JOIN (SELECT bill.unit_id, sum(allocation.amount_fen) AS fen
                       FROM allocation JOIN bill ON bill.id = allocation.bill_id GROUP BY bill.unit_id) AS paid
                 ON paid.unit_id = unit.id) AS expected
  FULL JOIN (SELECT community_id, ref, fen FROM ledger_balance WHERE kind = 'receivable') AS found
       USING (community_id, ref)
 WHERE coalesce(expected.fen, 0) <> coalesce(found.fen, 0)
UNION ALL
SELECT 'prepayment', community_id, ref, coalesce(expected.fen, 0), coalesce(found.fen, 0)
  FROM (SELECT unit.community_id, unit.code AS ref, -(paid.fen - coalesce(given.fen, 0))::bigint AS fen
          FROM unit
          JOIN (SELECT unit_id, sum(amount_fen) AS fen FROM payment GROUP BY unit_id) AS paid
               ON paid.unit_id = unit.id
          LEFT JOIN (SELECT payment.unit_id, sum(allocation.amount_fen) AS fen
                       FROM allocation JOIN payment ON payment.id = allocation.payment_id
                      GROUP BY payment.unit_id) AS given
                 ON given.unit_id = unit.id) AS expected
  FULL JOIN (SELECT community_id, ref, fen FROM ledger_balance WHERE kind = 'prepayment') AS found
       USING (community_id, ref)
 WHERE coalesce(expected.fen, 0) <> coalesce(found.fen, 0)
UNION ALL
SELECT 'cash', community_id, ref, coalesce(expected.fen, 0), coalesce(found.fen, 0)
  FROM (SELECT community_id, channel AS ref, sum(amount_fen)::bigint AS fen
          FROM payment GROUP BY community_id, channel) AS expected
  FULL JOIN (SELECT community_id, ref, fen FROM ledger_balance WHERE kind = 'cash') AS found
       USING (community_id, ref)
 WHERE coalesce(expected.fen, 0) <> coalesce(found.fen, 0)
UNION ALL
SELECT 'income', community_id, ref, coalesce(expected.fen, 0), coalesce(found.fen, 0)
  FROM (SELECT charge_item.community_id, charge_item.code AS ref, -sum(bill_line.amount_fen)::bigint AS fen
          FROM bill_line JOIN charge_item ON charge_item.id = bill_line.charge_item_id
         GROUP BY charge_item.community_id, charge_item.code) AS expected
  FULL JOIN (SELECT community_id, ref, fen FROM ledger_balance WHERE kind = 'income') AS found
       USING (community_id, ref)
 WHERE coalesce(expected.fen, 0) <> coalesce(found.fen, 0)
UNION ALL
SELECT 'bill_lines', bill.community_id, bill.number, bill.total_fen, lines.fen
  FROM bill LEFT JOIN (SELECT bill_id, sum(amount_fen)::bigint AS fen FROM bill_line GROUP BY bill_id) AS lines
                   ON lines.bill_id = bill.id
 WHERE bill.total_fen IS DISTINCT FROM lines.fen
UNION ALL
SELECT 'bill_transaction', bill.community_id, bill.number, bill.total_fen, posted.fen
  FROM bill
  LEFT JOIN (SELECT t.community_id, t.kind, t.ref, sum(entry.amount_fen)::bigint AS fen
               FROM ledger_transaction AS t
               JOIN ledger_entry AS entry ON entry.transaction_id = t.id
               JOIN ledger_account AS account ON account.id = entry.account_id AND account.kind = 'receivable'
              WHERE t.kind IN ('bill', 'credit_note')
              GROUP BY t.id) AS posted
         ON posted.community_id = bill.community_id AND posted.ref = bill.number
        AND posted.kind = CASE WHEN bill.voids IS NULL THEN 'bill' ELSE 'credit_note' END
 WHERE bill.total_fen IS DISTINCT FROM posted.fen
UNION ALL
SELECT 'payment_transaction', payment.community_id, payment.receipt_no, payment.amount_fen, posted.fen
  FROM payment
  LEFT JOIN (SELECT t.community_id, t.ref, sum(entry.amount_fen)::bigint AS fen
               FROM ledger_transaction AS t
               JOIN ledger_entry AS entry ON entry.transaction_id = t.id
               JOIN ledger_account AS account ON account.id = entry.account_id AND account.kind = 'cash'
              WHERE t.kind = 'payment'
              GROUP BY t.id) AS posted
         ON posted.community_id = payment.community_id AND posted.ref = payment.receipt_no
 WHERE payment.amount_fen IS DISTINCT FROM posted.fen
UNION ALL
SELECT 'transaction_without_cause', t.community_id, t.kind || ' ' || t.ref, NULL, NULL
  FROM ledger_transaction AS t
 WHERE NOT EXISTS (SELECT FROM bill WHERE t.kind <> 'payment' AND bill.community_id = t.community_id
                                      AND bill.number = t.ref
                                      AND (t.kind IN ('credit_note', 'reversal')) = (bill.voids IS NOT NULL))
   AND NOT EXISTS (SELECT FROM payment WHERE t.kind = 'payment' AND payment.receipt_no = t.ref
                                         AND payment.community_id = t.community_id)
UNION ALL
SELECT 'payment_allocated', payment.community_id, payment.receipt_no, payment.amount_fen, given.fen
  FROM payment
  JOIN (SELECT payment_id, sum(amount_fen)::bigint AS fen FROM allocation GROUP BY payment_id) AS given
       ON given.payment_id = payment.id
 WHERE given.fen NOT BETWEEN 0 AND payment.amount_fen
UNION ALL
SELECT 'bill_allocated', bill.community_id, bill.number,
       CASE WHEN note.id IS NULL THEN bill.total_fen ELSE 0 END, given.fen
  FROM bill
  JOIN (SELECT bill_id, sum(amount_fen)::bigint AS fen FROM allocation GROUP BY bill_id) AS given
       ON given.bill_id = bill.id
  LEFT JOIN bill AS note ON note.voids = bill.id
 WHERE given.fen NOT BETWEEN 0 AND CASE WHEN note.id IS NULL THEN bill.total_fen ELSE 0 END
UNION ALL
SELECT 'credit_note', note.community_id, note.number, -bill.total_fen, note.total_fen
  FROM bill AS note JOIN bill ON bill.id = note.voids
 WHERE note.total_fen <> -bill.total_fen OR note.unit_id <> bill.unit_id;

CREATE TRIGGER evidence_immutable BEFORE UPDATE OR DELETE ON evidence
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER evidence_untruncated BEFORE TRUNCATE ON evidence
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER bill_immutable BEFORE UPDATE OR DELETE ON bill
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER bill_untruncated BEFORE TRUNCATE ON bill
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER bill_line_immutable BEFORE UPDATE OR DELETE ON bill_line
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER bill_line_untruncated BEFORE TRUNCATE ON bill_line
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER ledger_account_immutable BEFORE UPDATE OR DELETE ON ledger_account
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER ledger_account_untruncated BEFORE TRUNCATE ON ledger_account
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER ledger_transaction_immutable BEFORE UPDATE OR DELETE ON ledger_transaction
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER ledger_transaction_untruncated BEFORE TRUNCATE ON ledger_transaction
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER ledger_entry_immutable BEFORE UPDATE OR DELETE ON ledger_entry
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER ledger_entry_untruncated BEFORE TRUNCATE ON ledger_entry
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER payment_immutable BEFORE UPDATE OR DELETE ON payment
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER payment_untruncated BEFORE TRUNCATE ON payment
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER allocation_immutable BEFORE UPDATE OR DELETE ON allocation
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER allocation_untruncated BEFORE TRUNCATE ON allocation
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER payment_refusal_immutable BEFORE UPDATE OR DELETE ON payment_refusal
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER payment_refusal_untruncated BEFORE TRUNCATE ON payment_refusal
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
