"""C++ toolchains of this machine, by the name of their compiler."""

load("@bazel_tools//tools/cpp:cc_configure.bzl", "cc_autoconf_impl")

def _compiler_toolchain_impl(repository_ctx):
    compiler = repository_ctx.which(repository_ctx.attr.compiler)
    if not compiler:
        fail("%s is not installed: tools/bazel installs it on Debian" %
             repository_ctx.attr.compiler)
    cc_autoconf_impl(repository_ctx, {"gcc": str(compiler)})

# What Bazel finds out about the compiler that $CC names, here for one that is
# named by us: `@NAME//:toolchain` is for --crosstool_top.
compiler_toolchain = repository_rule(
    implementation = _compiler_toolchain_impl,
    attrs = {"compiler": attr.string(mandatory = True)},
    configure = True,
    environ = ["PATH"],
)
