-- "Guest": the first purchase line of an invoice that names no customer.
SELECT row_number
FROM (
    SELECT row_number, row_number() OVER (PARTITION BY person ORDER BY order_key) AS nth
    FROM lines
    WHERE is_purchase AND customer IS NULL
)
WHERE nth = 1
ORDER BY row_number;
