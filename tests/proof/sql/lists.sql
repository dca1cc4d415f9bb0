-- The lists of retail-proof.yaml just after every event: their items are found by joining each event
-- with the purchases before it, so nothing is shared with the windows above.
--
-- `seen` counts the person's purchases so far. `basket` holds the newest 25 of them, each for 30 days.
CREATE OR REPLACE TABLE purchases AS
SELECT
    person, time_ms, order_key, product, price,
    row_number() OVER (PARTITION BY person ORDER BY order_key) AS nth,
    lead(order_key) OVER (PARTITION BY person, product ORDER BY order_key) AS again_at
FROM lines
WHERE is_purchase;

CREATE OR REPLACE TABLE seen AS
SELECT
    row_number AS event, person, time_ms, order_key,
    count(*) FILTER (is_purchase) OVER (
        PARTITION BY person ORDER BY order_key ROWS UNBOUNDED PRECEDING
    ) AS seen
FROM lines;

CREATE OR REPLACE TABLE baskets AS
WITH items AS (
    SELECT seen.event, purchases.nth, purchases.product, purchases.price
    FROM seen
    JOIN purchases
        ON purchases.person = seen.person
        AND purchases.nth BETWEEN seen.seen - 24 AND seen.seen
        AND purchases.time_ms > seen.time_ms - 2592000000
),
different AS (
    SELECT event, product, min(nth) AS first_nth FROM items GROUP BY event, product
),
codes AS (
    SELECT event, to_json(list(product ORDER BY first_nth)) AS codes FROM different GROUP BY event
)
SELECT
    items.event,
    to_json(arg_min(product, nth)) AS "basket.first",
    to_json(arg_max(product, nth)) AS "basket.last",
    max(price) AS "basket.top_price",
    min(price) AS "basket.low_price",
    sum(price) AS "basket.price",
    count(*) AS "basket.number",
    any_value(codes.codes) AS "basket.codes"
FROM items JOIN codes USING (event)
GROUP BY items.event;

-- `products` holds each product once, at its newest purchase: the one that is not bought again
-- (`again_at`) by the time of the event. The newest 100 products, each for 60 days.
CREATE OR REPLACE TABLE kept AS
WITH items AS (
    SELECT seen.event, purchases.nth, purchases.product,
           row_number() OVER (PARTITION BY seen.event ORDER BY purchases.nth DESC) AS newest
    FROM seen
    JOIN purchases
        ON purchases.person = seen.person
        AND purchases.order_key <= seen.order_key
        AND coalesce(purchases.again_at, 9223372036854775807) > seen.order_key
        AND purchases.time_ms > seen.time_ms - 5184000000
)
SELECT event, count(*) AS "products.number", to_json(list(product ORDER BY nth)) AS "products.codes"
FROM items
WHERE newest <= 100
GROUP BY event;

CREATE OR REPLACE TABLE lists AS
SELECT
    event,
    "basket.first", "basket.last", "basket.top_price", "basket.low_price",
    coalesce("basket.price", 0) AS "basket.price",
    coalesce("basket.number", 0) AS "basket.number",
    coalesce("basket.codes", '[]') AS "basket.codes",
    coalesce("products.number", 0) AS "products.number",
    coalesce("products.codes", '[]') AS "products.codes"
FROM seen LEFT JOIN baskets USING (event) LEFT JOIN kept USING (event)
ORDER BY event;
