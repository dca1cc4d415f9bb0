-- "Won back": a purchase more than 60 days after the person's purchase before it.
-- 60 days are 5,184,000,000 ms; the newest purchase before is, in (time, row) order, the previous one.
SELECT row_number
FROM (
    SELECT row_number, time_ms, lag(time_ms) OVER (PARTITION BY person ORDER BY order_key) AS previous_ms
    FROM lines
    WHERE is_purchase
)
WHERE previous_ms < time_ms - 5184000000
ORDER BY row_number;
