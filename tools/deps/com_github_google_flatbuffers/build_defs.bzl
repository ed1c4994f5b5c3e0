"""Upstream's rule for generated headers, as much of it as we use."""

def flatbuffer_cc_library(name, srcs, flatc_args = [], visibility = None):
    """A library of the headers that flatc makes of `srcs` (NAME_generated.h)."""
    outs = [src.replace(".fbs", "_generated.h") for src in srcs]
    native.genrule(
        name = name + "_headers",
        srcs = srcs,
        outs = outs,
        cmd = "/usr/bin/flatc --cpp %s -o $(@D) $(SRCS)" % " ".join(flatc_args),
    )
    native.cc_library(
        name = name,
        hdrs = outs,
        visibility = visibility,
        deps = ["@com_github_google_flatbuffers//:runtime_cc"],
    )
