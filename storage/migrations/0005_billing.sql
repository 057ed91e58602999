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
    number       text        NOT NULL UNIQUE,
    unit_id      int         NOT NULL REFERENCES unit,
    party_id     int         NOT NULL REFERENCES party,
    party_name   text        NOT NULL,
    period       date        NOT NULL CHECK (extract(day FROM period) = 1),
    total_fen    bigint      NOT NULL,
    issued_at    timestamptz NOT NULL,
    due_on       date        NOT NULL,
    voids        bigint      REFERENCES bill          -- this row is the credit note that voids that bill
);
-- One bill per unit and period; a credit note is a row of its own.
CREATE UNIQUE INDEX bill_once ON bill (community_id, unit_id, period) WHERE voids IS NULL;
CREATE UNIQUE INDEX bill_voided_once ON bill (voids) WHERE voids IS NOT NULL;
CREATE INDEX bill_unit ON bill (unit_id, period);

CREATE TABLE bill_line (
    bill_id        bigint   NOT NULL REFERENCES bill,
    position       smallint NOT NULL,
    charge_item_id int      REFERENCES charge_item,
    name_zh        text     NOT NULL,
    name_en        text     NOT NULL,
    basis          text     NOT NULL,
    quantity       numeric(14, 3) NOT NULL,
    measure        text     NOT NULL DEFAULT '',
    price_fen      numeric(14, 4) NOT NULL,
    amount_fen     bigint   NOT NULL,
    previous_fen   bigint,                              -- the same line a month before
    contract       text     NOT NULL,
    composition    jsonb    NOT NULL DEFAULT '[]',
    evidence_id    bigint   REFERENCES evidence,
    note_zh        text     NOT NULL DEFAULT '',
    note_en        text     NOT NULL DEFAULT '',
    PRIMARY KEY (bill_id, position)
);

-- Each insert brings all lines of its bills, so each is checked whole.
CREATE FUNCTION bill_lines_sum_to_total() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE wrong bigint;
BEGIN
    SELECT bill.id INTO wrong
      FROM (SELECT bill_id, sum(amount_fen) AS fen FROM added GROUP BY bill_id) AS lines
      JOIN bill ON bill.id = lines.bill_id
     WHERE bill.total_fen <> lines.fen
     LIMIT 1;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'the lines of bill % do not sum to its total', wrong USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER bill_line_sum AFTER INSERT ON bill_line REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION bill_lines_sum_to_total();

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
    kind         text        NOT NULL,     -- bill, payment, prepayment, credit_note
    ref          text        NOT NULL,     -- bill number, receipt number
    at           timestamptz NOT NULL,
    UNIQUE (community_id, kind, ref)
);

-- Signed: debit positive, credit negative. Every insert brings whole transactions, each summing to zero.
CREATE TABLE ledger_entry (
    transaction_id bigint   NOT NULL REFERENCES ledger_transaction,
    position       smallint NOT NULL,
    account_id     bigint   NOT NULL REFERENCES ledger_account,
    amount_fen     bigint   NOT NULL,
    PRIMARY KEY (transaction_id, position)
);
CREATE INDEX ledger_entry_account ON ledger_entry (account_id);

CREATE FUNCTION ledger_sums_to_zero() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE wrong bigint;
BEGIN
    SELECT transaction_id INTO wrong FROM added GROUP BY transaction_id HAVING sum(amount_fen) <> 0 LIMIT 1;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'the entries of ledger transaction % do not sum to zero', wrong USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER ledger_entry_sum AFTER INSERT ON ledger_entry REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_sums_to_zero();

CREATE TABLE payment (
    id             bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id   int         NOT NULL REFERENCES community,
    channel        text        NOT NULL,            -- kiosk:{device code}, cashier, …
    transaction_id text        NOT NULL,
    unit_id        int         NOT NULL REFERENCES unit,
    bill_id        bigint      NOT NULL REFERENCES bill,
    amount_fen     bigint      NOT NULL CHECK (amount_fen > 0),
    method         text        NOT NULL CHECK (method IN ('cash', 'card', 'wechat', 'alipay')),
    paid_at        timestamptz NOT NULL,
    recorded_at    timestamptz NOT NULL,
    body           text        NOT NULL,            -- canonical JSON as signed
    receipt_no     text        NOT NULL UNIQUE,
    UNIQUE (channel, transaction_id)
);
CREATE TABLE allocation (
    payment_id bigint NOT NULL REFERENCES payment,
    bill_id    bigint NOT NULL REFERENCES bill,
    amount_fen bigint NOT NULL CHECK (amount_fen > 0),
    PRIMARY KEY (payment_id, bill_id)
);
CREATE INDEX allocation_bill ON allocation (bill_id);

-- Money we did not take, and why; kept, and shown to finance.
CREATE TABLE payment_refusal (
    id             bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id   int         NOT NULL REFERENCES community,
    channel        text        NOT NULL,
    transaction_id text        NOT NULL,
    reason         text        NOT NULL,
    detail         text        NOT NULL,
    body           text        NOT NULL,
    recorded_at    timestamptz NOT NULL,
    UNIQUE (channel, transaction_id, reason, body)
);

CREATE TRIGGER bill_immutable BEFORE UPDATE OR DELETE ON bill FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER bill_line_immutable BEFORE UPDATE OR DELETE ON bill_line FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER evidence_immutable BEFORE UPDATE OR DELETE ON evidence FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER ledger_transaction_immutable BEFORE UPDATE OR DELETE ON ledger_transaction FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER ledger_entry_immutable BEFORE UPDATE OR DELETE ON ledger_entry FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER payment_immutable BEFORE UPDATE OR DELETE ON payment FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER allocation_immutable BEFORE UPDATE OR DELETE ON allocation FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER bill_untruncated BEFORE TRUNCATE ON bill FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER bill_line_untruncated BEFORE TRUNCATE ON bill_line FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER ledger_entry_untruncated BEFORE TRUNCATE ON ledger_entry FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER payment_untruncated BEFORE TRUNCATE ON payment FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
