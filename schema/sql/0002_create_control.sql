-- What an operator says: who may send, and which words exist. Every act bumps `control.revision` first; its row lock
-- puts the acts in commit order, so a worker that asks for rows past the revision it has seen misses none.
CREATE TABLE nocontent.control (
    control_id smallint PRIMARY KEY CHECK (control_id = 1),
    revision bigint NOT NULL
);

INSERT INTO nocontent.control (control_id, revision) VALUES (1, 0);

CREATE TABLE nocontent.tenants (
    tenant_id integer PRIMARY KEY CHECK (tenant_id > 0),
    name text NOT NULL CHECK (name ~ '^[a-z0-9][a-z0-9._-]{0,63}$'),
    task_category_mode smallint NOT NULL DEFAULT 0 CHECK (task_category_mode BETWEEN 0 AND 2),
    provider_mode smallint NOT NULL DEFAULT 0 CHECK (provider_mode BETWEEN 0 AND 2),
    model_mode smallint NOT NULL DEFAULT 0 CHECK (model_mode BETWEEN 0 AND 2),
    tag_value_mode smallint NOT NULL DEFAULT 0 CHECK (tag_value_mode BETWEEN 0 AND 2),
    events_per_minute_max integer CHECK (events_per_minute_max > 0),
    disabled boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    revision bigint NOT NULL
);

CREATE TABLE nocontent.ingest_tokens (
    tenant_id integer NOT NULL,
    token_id text NOT NULL CHECK (token_id ~ '^[0-9a-f]{12}$'),
    secret_sha256 bytea NOT NULL CHECK (octet_length(secret_sha256) = 32),
    scopes text[] NOT NULL CHECK (scopes <@ ARRAY['events:write', 'policy:read', 'streams:read', 'vocabulary:write']),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    revision bigint NOT NULL,
    PRIMARY KEY (tenant_id, token_id)
);

-- Tenant 0 is the shipped catalogue. The one text column that ingestion can write to.
CREATE TABLE nocontent.vocabulary (
    tenant_id integer NOT NULL,
    kind smallint NOT NULL CHECK (kind BETWEEN 1 AND 5),
    term_id smallint NOT NULL CHECK (term_id >= 0),
    parent_id smallint NOT NULL CHECK (parent_id >= 0 AND (parent_id > 0) = (kind = 5)),
    term text NOT NULL CHECK (
        term ~ CASE kind WHEN 3 THEN '^[A-Za-z0-9@~][A-Za-z0-9._:/@+-]{0,95}$' ELSE '^[a-z0-9][a-z0-9._-]{0,63}$' END
    ),
    learned boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    retired_at timestamptz,
    revision bigint NOT NULL,
    PRIMARY KEY (tenant_id, kind, term_id),
    UNIQUE (tenant_id, kind, parent_id, term)
);

-- Who did what to which id; a refused term leaves its rule here and not itself.
CREATE TABLE nocontent.audit (
    audit_id bigint GENERATED ALWAYS AS IDENTITY,
    tenant_id integer NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    act text NOT NULL CHECK (act ~ '^[a-z]+([.-][a-z]+)*$'),
    kind smallint,
    term_id smallint,
    token_id text CHECK (token_id ~ '^[0-9a-f]{12}$'),
    rule text CHECK (rule ~ '^[a-z]+[.][a-z0-9-]+$'),
    PRIMARY KEY (tenant_id, audit_id)
);
