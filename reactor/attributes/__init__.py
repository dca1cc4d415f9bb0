"""The kinds of attributes: one file a kind, each functions over slots of a profile's row.

`kind` says what a kind gives; `single`, `lists` (over `items`), `counter` (sliding and
total, over `reactor.ring`) and `imported` are the kinds. A computed attribute has no state:
it is an expression.
"""
