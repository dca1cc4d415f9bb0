-- "Became a big spender": the purchase that lifts the spend of 90 days to 1,000 or over.
--
-- Spend is money of purchases less money of cancellations. The window is written in days, so its
-- panes are hours (3,600,000 ms): read at T it covers the panes floor((T - W) / g) to floor(T / g),
-- which makes the start of the first of them the frame's lower bound. `before` is the same sum at
-- the same T without this line.
WITH spend AS (
    SELECT
        row_number,
        is_purchase,
        amount,
        sum(amount) OVER (
            PARTITION BY person
            ORDER BY order_key
            RANGE BETWEEN order_key - ((time_ms - 7776000000) // 3600000 * 3600000) * 1048576 PRECEDING
                      AND CURRENT ROW
        ) AS d90
    FROM lines
    WHERE is_purchase OR is_cancel
)
SELECT row_number
FROM spend
WHERE is_purchase AND d90 >= 1000 AND d90 - amount < 1000
ORDER BY row_number;
