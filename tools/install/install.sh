#!/bin/bash
#
# Lays the library and its programs down under a folder.

set -euo pipefail

usage() {
  cat <<'TEXT'
Installs headers, libraries, programs, manual pages and completion.

  tools/bazel run -c opt //tools:install -- --prefix=DIR [--destdir=DIR]

  --prefix=DIR   where it is to be used: /usr/local. Must be absolute.
  --destdir=DIR  put before the prefix while copying, for makers of packages.

Without -c opt, the programs and the libraries are not optimised.
TEXT
}

fail() {
  echo "install: $*" >&2
  exit 2
}

prefix=
destdir=
while (($# > 0)); do
  case "$1" in
    --prefix=*) prefix="${1#*=}" ;;
    --destdir=*) destdir="${1#*=}" ;;
    --prefix | --destdir)
      (($# > 1)) || fail "$1 needs a folder"
      [[ "$1" == --prefix ]] && prefix="$2" || destdir="$2"
      shift
      ;;
    --help) usage; exit 0 ;;
    *) usage >&2; fail "what is \"$1\"?" ;;
  esac
  shift
done
[[ -n "${prefix}" ]] || fail "name the folder: --prefix=DIR (see --help)"
[[ "${prefix}" == /* ]] || fail "the prefix must be absolute, not \"${prefix}\""
[[ -z "${destdir}" || "${destdir}" == /* ]] ||
  fail "the destdir must be absolute, not \"${destdir}\""

# Bazel starts this in the folder of its runfiles, at the top of the workspace.
readonly to="${destdir}${prefix}"
readonly here=tools/install
version="$(sed -n 's/^Version: //p' "${here}/cachalot.pc")"

# put MODE FOLDER FILE...: into a folder below the prefix.
put() {
  local mode="$1" folder="${to}/$2"
  shift 2
  mkdir -p "${folder}" || fail "cannot make ${folder}"
  install -m "${mode}" "$@" "${folder}/" || fail "cannot write to ${folder}"
}

put 644 include/cachalot io/include/cachalot/*.h
put 644 include/cachalot/engine io/include/cachalot/engine/*.h
put 644 lib "${here}/libcachalot.a"
put 755 lib "${here}/libcachalot.so"
mv -f "${to}/lib/libcachalot.so" "${to}/lib/libcachalot.so.${version}"
ln -sf "libcachalot.so.${version}" "${to}/lib/libcachalot.so.0"
ln -sf libcachalot.so.0 "${to}/lib/libcachalot.so"
put 644 lib/pkgconfig "${here}/cachalot.pc"
put 644 lib/cmake/cachalot "${here}"/cachalotConfig*.cmake
for program in cachalot simulate; do
  put 755 bin "${here}/bin/${program}"
  put 644 share/man/man1 "${here}/${program}.1"
  put 644 share/bash-completion/completions "${here}/${program}.bash"
  mv -f "${to}/share/bash-completion/completions/${program}"{.bash,}
done
echo "cachalot ${version} is in ${to}"
