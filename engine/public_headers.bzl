"""The words of the engine that embedders need."""

ENGINE_HEADERS = [
    "action",
    "address",
    "cluster_time",
    "ids",
    "instant",
    "member",
    "memory",
    "observer",
    "options",
    "request",
    "saved_state",
    "shared_bytes",
    "strong_id",
    "survival",
]
