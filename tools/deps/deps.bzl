"""What Cachalot needs from outside, as repositories. In a WORKSPACE:

    local_repository(
        name = "cachalot",
        path = "...",
    )

    load("@cachalot//tools/deps:deps.bzl", "cachalot_deps")

    cachalot_deps()

Then depend on "@cachalot//:cachalot", and build with --cxxopt=-std=c++20.

Everything comes from Debian's packages and nothing is downloaded. Stand-ins
carry upstream's own repository names and labels; what a workspace has defined
before under such a name, Abseil from source, say, is used instead.
"""

def _stand_in_impl(ctx):
    # Wherever this file's repository is.
    folder = ctx.path(Label("//:WORKSPACE")).dirname
    for step in ["tools", "deps", ctx.attr.folder]:
        folder = folder.get_child(step)
    for entry in folder.readdir():
        ctx.symlink(entry, entry.basename)

_stand_in = repository_rule(
    implementation = _stand_in_impl,
    attrs = {"folder": attr.string(doc = "Below tools/deps.")},
    # New files are found without bazel sync.
    local = True,
)

def _define(names):
    for name in names:
        if not native.existing_rule(name):
            _stand_in(
                name = name,
                folder = name,
            )

# Of Debian's Bazel.
_BAZEL_RULES = {
    "bazel_skylib": "/usr/share/bazel/tools/skylib",
    "rules_java": "/usr/share/bazel/rules/java",
    "rules_proto": "/usr/share/bazel/rules/proto",
}

def cachalot_deps():
    """What @cachalot//:cachalot needs, and what Bazel 4.2 itself would fetch."""
    _define([
        "com_github_google_flatbuffers",
        "com_google_absl",
        "remote_coverage_tools",
        "rules_cc",
    ])
    for name, path in _BAZEL_RULES.items():
        if not native.existing_rule(name):
            native.local_repository(
                name = name,
                path = path,
            )

def cachalot_development_deps():
    """What Cachalot's own programs and tests need besides."""
    _define([
        "cli11",
        "com_google_benchmark",
        "com_google_googletest",
        "nlohmann_json",
        "rapidcheck",
    ])
