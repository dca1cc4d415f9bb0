-- The values of retail-proof.yaml just after every event, one row an event, in the order of the file.
--
-- A window of length W with panes of width g, read at T, covers the panes floor((T - W) / g) to
-- floor(T / g): each frame below starts at (T - W) // g * g. A total counter's panes are days. An item
-- of a list is live while T - time < ttl: its frame starts a millisecond after T - ttl.
-- `back(key, T, W, g)` gives that start as a distance back from the row's own order_key.
CREATE OR REPLACE MACRO back(key, at_ms, width_ms, pane_ms) AS
    key - (at_ms - width_ms) // pane_ms * pane_ms * 1048576;

CREATE OR REPLACE TABLE windows AS
WITH weighed AS (
    SELECT
        *,
        CASE WHEN is_purchase OR is_cancel THEN amount ELSE 0 END AS spent,
        CASE WHEN is_purchase THEN amount ELSE 0 END AS bought,
        CASE WHEN is_purchase THEN quantity ELSE 0 END AS units,
        CASE WHEN is_purchase THEN product END AS bought_product,
        CASE WHEN is_purchase THEN price END AS bought_price,
        CASE WHEN is_purchase THEN time_ms END AS bought_at
    FROM lines
)
SELECT
    row_number AS event,
    person,
    time_ms,
    order_key,
    last_value(bought_product IGNORE NULLS) OVER so_far AS last_product,
    CASE
        WHEN time_ms - last_value(bought_at IGNORE NULLS) OVER so_far < 2592000000
            THEN CAST(last_value(bought_price IGNORE NULLS) OVER so_far AS DOUBLE)
    END AS last_price,
    count(*) OVER (
        by_person RANGE BETWEEN back(order_key, time_ms, 2592000000, 3600000) PRECEDING AND CURRENT ROW
    ) AS lines,
    count(*) OVER (
        by_person RANGE BETWEEN back(order_key, time_ms, 900000, 1000) PRECEDING AND CURRENT ROW
    ) AS "lines.quarter",
    count(*) OVER (
        by_person RANGE BETWEEN back(order_key, time_ms, 129600000, 60000) PRECEDING AND CURRENT ROW
    ) AS "lines.hours",
    count(*) OVER (
        by_person RANGE BETWEEN back(order_key, time_ms, 604800000, 3600000) PRECEDING AND CURRENT ROW
    ) AS "lines.week",
    sum(spent) OVER (
        by_person RANGE BETWEEN back(order_key, time_ms, 31536000000, 3600000) PRECEDING AND CURRENT ROW
    ) AS spend,
    sum(spent) OVER (
        by_person RANGE BETWEEN back(order_key, time_ms, 7776000000, 3600000) PRECEDING AND CURRENT ROW
    ) AS "spend.d90",
    sum(spent) OVER (
        by_person RANGE BETWEEN back(order_key, time_ms, 43200000, 60000) PRECEDING AND CURRENT ROW
    ) AS "spend.h12",
    sum(units) OVER (
        by_person RANGE BETWEEN back(order_key, time_ms, 4838400000, 86400000) PRECEDING AND CURRENT ROW
    ) AS weekly,
    sum(units) OVER (
        by_person RANGE BETWEEN back(order_key, time_ms, 604800000, 86400000) PRECEDING AND CURRENT ROW
    ) AS "weekly.one",
    count(*) OVER so_far AS all_lines,
    sum(spent) OVER so_far AS all_spend,
    sum(bought) OVER (
        by_person RANGE BETWEEN back(order_key, time_ms, 5184000000, 86400000) PRECEDING AND CURRENT ROW
    ) AS two_months
FROM weighed
WINDOW
    by_person AS (PARTITION BY person ORDER BY order_key),
    so_far AS (PARTITION BY person ORDER BY order_key ROWS UNBOUNDED PRECEDING)
ORDER BY event;
