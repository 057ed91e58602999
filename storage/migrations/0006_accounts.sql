-- Who may sign in, and as what.

CREATE TABLE account (
    id            int  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    login         text NOT NULL UNIQUE CHECK (login = lower(login)),
    name          text NOT NULL,
    role          text NOT NULL CHECK (role IN ('administrator', 'manager', 'dispatcher', 'technician', 'finance', 'resident')),
    language      text NOT NULL DEFAULT 'zh' CHECK (language IN ('zh', 'en')),
    password_hash text,                        -- argon2; NULL: cannot sign in until one is set
    staff_id      int  UNIQUE REFERENCES staff,
    party_id      int  UNIQUE REFERENCES party,
    disabled_at   timestamptz,
    CHECK ((role = 'resident') = (party_id IS NOT NULL)),
    CHECK (role <> 'technician' OR staff_id IS NOT NULL)
);

-- Which communities an office account may see; an administrator sees all.
CREATE TABLE account_community (
    account_id   int NOT NULL REFERENCES account,
    community_id int NOT NULL REFERENCES community,
    PRIMARY KEY (account_id, community_id)
);

CREATE TABLE session (
    token_hash bytea       PRIMARY KEY,        -- sha256 of the cookie; the cookie itself is not kept
    account_id int         NOT NULL REFERENCES account,
    csrf       text        NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);

CREATE TABLE sign_in_failure (
    id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    login      text        NOT NULL,
    address    text        NOT NULL,
    at         timestamptz NOT NULL
);
CREATE INDEX sign_in_failure_recent ON sign_in_failure (login, at);
CREATE INDEX sign_in_failure_address ON sign_in_failure (address, at);

ALTER TABLE work_order ADD FOREIGN KEY (opened_by) REFERENCES account;
ALTER TABLE order_move ADD FOREIGN KEY (account_id) REFERENCES account;
ALTER TABLE offer ADD FOREIGN KEY (chosen_by) REFERENCES account;
