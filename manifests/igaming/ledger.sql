-- The books that ledger.py keeps; in a database of their own.
CREATE TABLE accounts (player text PRIMARY KEY, cents bigint NOT NULL);
CREATE TABLE rounds (
    name text PRIMARY KEY, opened_by text NOT NULL, closed_by text, opened timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE entries (
    transaction text PRIMARY KEY, kind text NOT NULL, player text NOT NULL REFERENCES accounts,
    cents bigint NOT NULL, round text REFERENCES rounds, revision text NOT NULL, pod text NOT NULL
);
