"""One archive of a library and of all of ours that it needs."""

load("@bazel_tools//tools/cpp:toolchain_utils.bzl", "find_cpp_toolchain")

def _archive_impl(ctx):
    objects = []
    for linker_input in ctx.attr.library[CcInfo].linking_context.linker_inputs.to_list():
        # What is not ours comes from Debian, as archives of its own.
        if linker_input.owner.workspace_name != ctx.label.workspace_name:
            continue
        for library in linker_input.libraries:
            # For programs at any address, and for a shared library.
            objects.extend(library.pic_objects or library.objects or [])
    archive = ctx.actions.declare_file(ctx.attr.archive_name)
    toolchain = find_cpp_toolchain(ctx)
    arguments = ctx.actions.args()
    arguments.add(toolchain.ar_executable)
    arguments.add(archive)
    arguments.add_all(objects)
    ctx.actions.run_shell(
        inputs = depset(objects, transitive = [toolchain.all_files]),
        outputs = [archive],
        # "q": two objects may have one name, from two folders.
        command = "ar=$1; shift; rm -f \"$1\"; \"$ar\" qcsD \"$@\"",
        arguments = [arguments],
        mnemonic = "CachalotArchive",
    )
    return DefaultInfo(
        files = depset([archive]),
        runfiles = ctx.runfiles(files = [archive]),
    )

archive = rule(
    implementation = _archive_impl,
    attrs = {
        "archive_name": attr.string(mandatory = True, doc = "libX.a"),
        "library": attr.label(mandatory = True, providers = [CcInfo]),
        "_cc_toolchain": attr.label(default = "@bazel_tools//tools/cpp:current_cc_toolchain"),
    },
    toolchains = ["@bazel_tools//tools/cpp:toolchain_type"],
    doc = "Position-independent objects of `library` and its dependencies in this workspace.",
)
