"""One program, built in several ways within one build."""

# The options of each mode. All others are empty on purpose, so that the command
# line does not change these builds. No -g: it changes no instruction and takes long.
_MODES = {
    "opt": struct(
        compilation_mode = "opt",
        copt = [],
        linkopt = [],
        features = [],
    ),
    # Without optimisation, and with all assertions.
    "dbg": struct(
        compilation_mode = "dbg",
        copt = ["-O0", "-g0"],
        linkopt = [],
        features = [],
    ),
    # gold warns about each symbol of clang's sanitizer, so this uses another linker,
    # which does not support --start-lib.
    "asan": struct(
        compilation_mode = "fastbuild",
        copt = ["-O1", "-g0", "-fsanitize=address"],
        linkopt = ["-fsanitize=address", "-fuse-ld=bfd"],
        features = ["-supports_start_end_lib"],
    ),
}

# COMPILER_MODE is the name of a build. The compilers are in the WORKSPACE.
COMPILERS = ["gcc", "clang"]
MODES = _MODES.keys()

def _build_impl(_settings, attr):
    compiler, mode_name = attr.build.split("_")
    mode = _MODES[mode_name]
    return {
        "//command_line_option:crosstool_top": "@compiler_%s//:toolchain" % compiler,
        "//command_line_option:compilation_mode": mode.compilation_mode,
        "//command_line_option:copt": mode.copt,
        "//command_line_option:linkopt": mode.linkopt,
        "//command_line_option:per_file_copt": [],
        "//command_line_option:features": mode.features,
        "//command_line_option:strip": "always",
    }

_build = transition(
    implementation = _build_impl,
    inputs = [],
    outputs = [
        "//command_line_option:crosstool_top",
        "//command_line_option:compilation_mode",
        "//command_line_option:copt",
        "//command_line_option:linkopt",
        "//command_line_option:per_file_copt",
        "//command_line_option:features",
        "//command_line_option:strip",
    ],
)

def _built_as_impl(ctx):
    program = ctx.actions.declare_file(ctx.label.name)
    ctx.actions.symlink(
        output = program,
        target_file = ctx.attr.program[0][DefaultInfo].files_to_run.executable,
        is_executable = True,
    )
    return [DefaultInfo(files = depset([program]), executable = program)]

# `program` as it is in that build.
built_as = rule(
    implementation = _built_as_impl,
    attrs = {
        "program": attr.label(cfg = _build, executable = True, mandatory = True),
        "build": attr.string(mandatory = True),
        "_allowlist_function_transition": attr.label(
            default = "@bazel_tools//tools/allowlists/function_transition_allowlist",
        ),
    },
    executable = True,
)
