-- A cost may be unknown, which is not zero: nor are the savings known then.
CREATE OR REPLACE VIEW nocontent.readable_events WITH (security_invoker = true) AS
SELECT
    event.tenant_id,
    event.occurred_at,
    event.event_id,
    category.term AS task_category,
    provider.term AS provider,
    requested.term AS requested_model,
    routed.term AS routed_model,
    event.input_tokens,
    event.output_tokens,
    event.cache_read_tokens,
    event.cache_write_5m_tokens,
    event.cache_write_1h_tokens,
    event.reasoning_tokens,
    NULLIF(event.cost_nanousd, -1) AS cost_nanousd,
    NULLIF(event.baseline_cost_nanousd, -1) AS baseline_cost_nanousd,
    NULLIF(event.baseline_cost_nanousd, -1) - NULLIF(event.cost_nanousd, -1) AS savings_nanousd,
    event.latency_ms,
    NULLIF(event.ttft_ms, -1) AS ttft_ms,
    (ARRAY['ok', 'error', 'timeout', 'rate_limited', 'cancelled', 'refused'])[(event.outcome >> 5 & 7) + 1] AS status,
    NULLIF(event.http_status, 0) AS http_status,
    (ARRAY['end_turn', 'max_tokens', 'stop_sequence', 'tool_use', 'content_filter', 'pause_turn', 'context_window',
        'other'])[event.outcome >> 8 & 15] AS stop_reason,
    event.outcome & 1 <> 0 AS streamed,
    event.outcome & 2 <> 0 AS cached,
    event.outcome & 4 <> 0 AS fallback,
    event.outcome & 8 <> 0 AS retried,
    event.outcome & 16 <> 0 AS escalated,
    (
        SELECT coalesce(jsonb_object_agg(tag.tag_key, tag.tag_value), '{}')
        FROM nocontent.tag_names tag
        WHERE tag.tenant_id = event.tenant_id
            AND tag.term_id IN (event.tag_1, event.tag_2, event.tag_3, event.tag_4)
    ) AS tags
FROM nocontent.events event
LEFT JOIN nocontent.vocabulary category
    ON category.tenant_id = CASE WHEN event.task_category < 128 THEN 0 ELSE event.tenant_id END
    AND category.kind = 1 AND category.term_id = event.task_category
LEFT JOIN nocontent.vocabulary provider
    ON provider.tenant_id = CASE WHEN event.provider BETWEEN 128 AND 511 THEN event.tenant_id ELSE 0 END
    AND provider.kind = 2 AND provider.term_id = event.provider
LEFT JOIN nocontent.vocabulary requested
    ON requested.tenant_id = CASE WHEN event.requested_model < 16384 THEN 0 ELSE event.tenant_id END
    AND requested.kind = 3 AND requested.term_id = event.requested_model
LEFT JOIN nocontent.vocabulary routed
    ON routed.tenant_id = CASE WHEN event.routed_model < 16384 THEN 0 ELSE event.tenant_id END
    AND routed.kind = 3 AND routed.term_id = event.routed_model;
