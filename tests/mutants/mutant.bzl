"""Planted bugs: programs of which one file is a patched copy.

The copy's object stands in front of the libraries, and the linker takes from
an archive only what nothing before it defines: the original object is never
pulled in. Should a part of it be missing from the copy, both are, and the
linker refuses the names that exist twice.
"""

def _mutant(patch, source, program):
    """`program` with the patched copy of `source`, under the patch's name."""
    native.genrule(
        name = patch + "_copy",
        srcs = [
            patch + ".patch",
            source,
        ],
        outs = [patch + ".cc"],
        cmd = "$(location apply.sh) $(location %s.patch) $(location %s) $@" %
              (patch, source),
        tools = ["apply.sh"],
    )
    native.cc_binary(
        name = patch,
        testonly = True,
        srcs = [patch + "_copy"],
        # As //engine and //sim are in every build (.bazelrc).
        copts = ["-O2"],
        # What it may include was judged with the original.
        features = ["-layering_check"],
        deps = [program],
    )

def mutants(name, program, patches):
    """Each patch as a program of its own, named after it, and one without any.

    Args:
      name: of the filegroup of the programs.
      program: the library that it is: the simulator, or a test that must fail.
      patches: for each source file the names of its patches, without ".patch".
    """
    for source, names in patches.items():
        for patch in names:
            _mutant(patch, source, program)
    native.cc_binary(
        name = name + "_unmutated",
        testonly = True,
        deps = [program],
    )
    native.filegroup(
        name = name,
        testonly = True,
        srcs = [name + "_unmutated"] +
               [patch for names in patches.values() for patch in names],
    )

def test_of_mutants(name, deps, data = [], **kwargs):
    """A test, of NAME.cc, with which planted bugs are linked, too."""
    native.cc_library(
        name = name + "_body",
        testonly = True,
        srcs = [name + ".cc"],
        data = data,
        visibility = ["//tests/mutants:__pkg__"],
        deps = deps,
        alwayslink = True,
    )
    native.cc_test(
        name = name,
        deps = [name + "_body"],
        **kwargs
    )
