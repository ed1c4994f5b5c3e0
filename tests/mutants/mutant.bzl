"""Planted bugs: programs of which one file is a patched copy.

The copy's object stands in front of the libraries, and the linker takes from
an archive only what nothing before it defines: the original object is never
pulled in. Should a part of it be missing from the copy, both are, and the
linker refuses the names that exist twice.
"""

def _copy(patch, source):
    """The patched copy of `source`; the name of its rule."""
    name = patch + "_copy"
    native.genrule(
        name = name,
        srcs = [
            patch + ".patch",
            source,
        ],
        outs = [patch + ".cc"],
        cmd = "$(location apply.sh) $(location %s.patch) $(location %s) $@" %
              (patch, source),
        tools = ["apply.sh"],
    )
    return name

def mutants(
        name,
        source,
        patches,
        body = "//tools:simulate_main"):
    """Each of `patches` as a program of its own, named after it.

    Args:
      name: of the filegroup of the programs.
      source: the one file that all of them touch.
      patches: their names, without ".patch".
      body: the rest of the program: the simulator's, or that of a test which
        must fail.
    """
    for patch in patches:
        copy = _copy(patch, source)
        native.cc_binary(
            name = patch,
            testonly = True,
            srcs = [copy],
            # As //engine and //sim are in every build (.bazelrc).
            copts = ["-O2"],
            # What it may include was judged with the original.
            features = ["-layering_check"],
            deps = [body],
        )
    native.filegroup(
        name = name,
        testonly = True,
        srcs = patches,
    )
