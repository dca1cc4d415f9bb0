-- Every line of the file as an event: who, when, what, how much.
--
-- $digits      the last digits of the customers and guests to keep, with all they did: '7' keeps about a tenth.
-- row_number   its place among the kept lines, from 0: the tie-breaker of equal times.
-- time_ms      InvoiceDate is London's wall clock.
-- order_key    one number in the order (time, row): no two rows are peers, so no frame looks ahead.
--              1,048,576 (2^20) is more than the rows of the file.
-- person       CustomerID where it is five digits, else the invoice, as a guest. The kinds are kept
--              apart: a guest's invoice number is never a customer's number.
-- amount       Quantity * UnitPrice as an exact decimal of six places. Both have few digits, so the
--              product of the decimals needs no rounding; `amount_of_doubles` is made the engine's
--              way (doubles, then half-even) and must agree.
CREATE OR REPLACE TABLE lines AS
WITH file AS (
    SELECT *, row_number() OVER () - 1 AS row_number
    FROM read_csv($path, header = true, all_varchar = true, parallel = false)
    WHERE contains($digits, right(coalesce(CustomerID, InvoiceNo), 1))
),
typed AS (
    SELECT
        row_number,
        epoch_ms(timezone('Europe/London', CAST(InvoiceDate AS TIMESTAMP))) AS time_ms,
        InvoiceNo AS invoice,
        StockCode AS product,
        CustomerID AS customer,
        CASE WHEN regexp_matches(CustomerID, '^[0-9]{5}$') THEN 'customer ' || CustomerID
             WHEN CustomerID IS NULL THEN 'guest ' || InvoiceNo END AS person,
        CAST(Quantity AS BIGINT) AS quantity,
        CAST(UnitPrice AS DECIMAL(18, 6)) AS price,
        CAST(Quantity AS DOUBLE) * CAST(UnitPrice AS DOUBLE) AS product_of_doubles
    FROM file
)
SELECT
    * EXCLUDE (product_of_doubles),
    time_ms * 1048576 + row_number AS order_key,
    CAST(quantity * price AS DECIMAL(18, 6)) AS amount,
    CAST(round_even(product_of_doubles * 1000000, 0) AS BIGINT) AS amount_of_doubles,
    NOT starts_with(invoice, 'C') AND quantity > 0 AND price > 0 AS is_purchase,
    starts_with(invoice, 'C') AND price > 0 AS is_cancel
FROM typed;
