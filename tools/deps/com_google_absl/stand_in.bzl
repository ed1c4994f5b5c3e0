"""A target with upstream's label that links Debian's build of Abseil."""

def stand_in(name):
    native.cc_library(
        name = name,
        visibility = ["//visibility:public"],
        deps = ["//:archives"],
    )
