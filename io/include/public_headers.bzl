"""Headers under the names by which embedders include them."""

def _public_headers_impl(ctx):
    outputs = []
    for source in ctx.files.srcs:
        folder, _, name = source.short_path.lstrip("./").rpartition("/")
        folder = folder.split("/")[-1]

        # io/ is how the library is built; engine/ is a word of its own.
        path = "cachalot/" + ("" if folder == "io" else folder + "/") + name
        output = ctx.actions.declare_file(path)
        ctx.actions.run_shell(
            inputs = [source],
            outputs = [output],
            command = "sed -E -e '%s' -e '%s' -e '%s' \"$1\" > \"$2\"" % (
                's|^#include "io/|#include "cachalot/|',
                's|^#include "engine/|#include "cachalot/engine/|',
                # An embedder's own io/log.h may well have this guard, too.
                "s/^(#ifndef|#define|#endif  \\/\\/) ((IO|ENGINE)_[A-Z_]+_H_)$/\\1 CACHALOT_\\2/",
            ),
            arguments = [source.path, output.path],
            mnemonic = "PublicHeader",
        )
        outputs.append(output)
    return DefaultInfo(
        files = depset(outputs),
        runfiles = ctx.runfiles(files = outputs),
    )

public_headers = rule(
    implementation = _public_headers_impl,
    attrs = {
        "srcs": attr.label_list(
            allow_files = [".h"],
            doc = "Headers of //io and //engine, which include each other as \"io/x.h\" and \"engine/x.h\".",
        ),
    },
    doc = "Copies \"io/x.h\" to \"cachalot/x.h\" and \"engine/x.h\" to \"cachalot/engine/x.h\".",
)
