// Node with fastify: JSON Schema validation at the door, one INSERT ... SELECT FROM unnest(...) a request.
import fastify from "fastify";
import pg from "pg";

const { BENCH_DSN, BENCH_TOKEN, BENCH_PORT } = process.env;
const dsn = new URL(BENCH_DSN.replace("@/", "@localhost/"));
const pool = new pg.Pool({
  host: dsn.searchParams.get("host"),
  port: Number(dsn.searchParams.get("port")),
  user: "postgres",
  database: dsn.pathname.slice(1),
  max: 8,
});
const tenants = new Map([[`Bearer ${BENCH_TOKEN}`, 1]]);

const name = { type: "string", minLength: 1, maxLength: 96 };
const count = { type: "integer", minimum: 0, maximum: 10_000_000 };
const cost = { type: "integer", minimum: 0, maximum: 1e12 };
const milliseconds = { type: "integer", minimum: 0, maximum: 3_600_000 };
const flag = { type: "boolean" };
const orNull = (schema) => ({ ...schema, type: [schema.type, "null"], nullable: true });
const properties = {
  event_id: { type: "string", format: "uuid" },
  task_category: name, provider: name, requested_model: name, routed_model: name,
  input_tokens: count, output_tokens: count, cache_read_tokens: count, cache_write_5m_tokens: count,
  cache_write_1h_tokens: count, reasoning_tokens: count,
  cost_nanousd: cost, baseline_cost_nanousd: orNull(cost),
  latency_ms: milliseconds, ttft_ms: orNull(milliseconds),
  status: { type: "string", enum: ["ok", "error", "timeout", "rate_limited", "cancelled", "refused"] },
  http_status: orNull({ type: "integer", minimum: 100, maximum: 599 }),
  stop_reason: orNull({ type: "string", maxLength: 96 }),
  streamed: flag, cached: flag, fallback: flag, retried: flag, escalated: flag,
  tags: { type: "object", maxProperties: 4, additionalProperties: name },
};
const event = { type: "object", additionalProperties: false, required: Object.keys(properties), properties };
const stream = {
  type: "object", additionalProperties: false, required: ["id", "sequence"],
  properties: { id: { type: "string", format: "uuid" }, sequence: { type: "integer", minimum: 0 } },
};
const batch = {
  type: "object", additionalProperties: false, required: ["events"],
  properties: { stream, events: { type: "array", minItems: 1, maxItems: 5_000, items: event } },
};

const text = ["task_category", "provider", "requested_model", "routed_model", "status", "stop_reason"];
const big = ["cost_nanousd", "baseline_cost_nanousd"];
const flags = ["streamed", "cached", "fallback", "retried", "escalated"];
const typeOf = (column) =>
  column === "event_id" ? "uuid" : column === "tags" ? "jsonb" : text.includes(column) ? "text"
    : big.includes(column) ? "bigint" : flags.includes(column) ? "boolean" : "integer";
const columns = Object.keys(properties);
const create = `CREATE TABLE IF NOT EXISTS node_unnest (
  tenant_id integer NOT NULL, occurred_at timestamptz NOT NULL,
  ${columns.map((column) => `${column} ${typeOf(column)}`).join(", ")},
  PRIMARY KEY (event_id)
)`;
const insert = {
  name: "insert",
  text: `INSERT INTO node_unnest (tenant_id, occurred_at, ${columns.join(", ")})
    SELECT $1::integer, to_timestamp(ms / 1000.0), ${columns.join(", ")}
    FROM unnest($2::bigint[], ${columns.map((column, place) => `$${place + 3}::${typeOf(column)}[]`).join(", ")})
      AS event (ms, ${columns.join(", ")})
    ON CONFLICT DO NOTHING`,
};

const app = fastify({ bodyLimit: 8 << 20 });
app.post("/v1/events", { schema: { body: batch } }, async (request, reply) => {
  const tenant = tenants.get(request.headers.authorization);
  if (tenant === undefined) return reply.code(401).send({});
  const { events } = request.body;
  const times = events.map(({ event_id }) => parseInt(event_id.slice(0, 8) + event_id.slice(9, 13), 16));
  const values = columns.map((column) => events.map((event) => event[column]));
  const { rowCount } = await pool.query({ ...insert, values: [tenant, times, ...values] });
  return { accepted: rowCount, duplicates: events.length - rowCount };
});
app.get("/readyz", async () => ({}));

await pool.query(create);
await app.listen({ host: "127.0.0.1", port: Number(BENCH_PORT) });
process.on("SIGTERM", async () => {
  await app.close();
  await pool.end();
});
