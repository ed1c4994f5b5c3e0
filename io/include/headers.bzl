"""Which headers are for embedders."""

load("//engine:public_headers.bzl", "ENGINE_HEADERS")

IO_HEADERS = [
    "agent_status",
    "async_coordinator",
    "caller_limits",
    "coordinator",
    "coordinator_options",
    "election",
    "embedded_coordinator",
    "grant",
    "held_lock",
    "host_lookup",
    "lock_scope",
    "log",
    "log_event",
    "run_result",
    "seed_timing",
    "status_codes",
    "time_span",
    "version",
]

# As embedders include them.
PUBLIC_HEADERS = ["cachalot/%s.h" % name for name in IO_HEADERS] + \
                 ["cachalot/engine/%s.h" % name for name in ENGINE_HEADERS]
